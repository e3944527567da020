r"""Tuples of values to bytes, so that the order of the bytes is the documented order of the tuples.

This package is the only place that knows how a value lies in a key; `docs_layer.keyspace` puts prefixes before it.
All functions are pure and may be used by any thread.

Order, the same for scans and for indexes:

- null is lowest; False before True; ints and floats by value, NaN equal to itself and above +infinity, -0.0
  equal to 0.0; decimals by value, NaN highest; str by code points; bytes as they are; aware datetimes by instant;
  naive ones, dates, times of day, intervals, UUIDs (by their bytes) in their own order.
- In a schemaless column ("any"): null, bool, numbers (int, float and Decimal together, by exact value), str, bytes,
  aware datetime, naive datetime, date, time, timedelta, UUID, list, dict; lists item by item, a shorter one first;
  dicts like the list of their keys and values in the order of the keys.
- A descending component is the exact reverse, null last.

Grammar (numbers big-endian, codes in `codes.TypeCode`; every component begins with its code):

    key         = component+ [01]            01 only if the last component is descending and of kind str, bytes or any
    component   = ascending | ascending with every byte inverted
    ascending   = 10                         null
                | 18 | 19                    False, True
                | 20 word                    int: value + 2**63
                | 24 word                    float, see `number_order`
                | 28 decimal                 Decimal, see `number_order`
                | 2C number                  schemaless number, see `number_order`
                | 30 escaped 00              str as UTF-8
                | 38 escaped 00              bytes
                | 40 word | 44 word          aware, naive datetime: microseconds since 1970 (UTC) + 2**63
                | 48 half-word               date: ordinal number, 0001-01-01 is 1
                | 4C word                    time of day: microseconds since midnight
                | 50 half-word{3}            timedelta: days + 2**31, seconds, microseconds
                | 58 byte{16}                UUID
                | 60 ascending* 00           list
                | 68 (ascending ascending)* 00   dict: key and value, in the order of the keys
    escaped     = the bytes, each 00 as 00 FF
    word        = byte{8}
    half-word   = byte{4}

Codes lie in 10..EF in both directions. Therefore the keys that begin with the components p and go on are exactly the
range [p 01, p FF), which `entries_with` gives; keys must never be compared by `startswith`, because the key of "a"
is a prefix of that of "a\0b".

Example: (5, "a\0" descending) is 20 80 00 00 00 00 00 00 05, CF 9E FF 00 FF, 01.
"""

from docs_layer.key_encoding.codes import (
    INVERTED,
    INVERTIBLE_KINDS,
    KINDS,
    Decoder,
    Encoder,
    MalformedKeyError,
    Skipper,
    TypeCode,
    UnencodableError,
)
from docs_layer.key_encoding.decoders import component_decoder, component_skipper
from docs_layer.key_encoding.encoders import component_encoder
from docs_layer.key_encoding.ranges import entries_with, null_bounds, range_bounds, starts_with_bounds, successor
from docs_layer.key_encoding.tuples import needs_end_marker, tuple_decoder, tuple_encoder, tuple_skipper

__all__ = [
    "INVERTED",
    "INVERTIBLE_KINDS",
    "KINDS",
    "Decoder",
    "Encoder",
    "MalformedKeyError",
    "Skipper",
    "TypeCode",
    "UnencodableError",
    "component_decoder",
    "component_encoder",
    "component_skipper",
    "entries_with",
    "needs_end_marker",
    "null_bounds",
    "range_bounds",
    "starts_with_bounds",
    "successor",
    "tuple_decoder",
    "tuple_encoder",
    "tuple_skipper",
]
