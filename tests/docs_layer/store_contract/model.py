"""A store as three dicts, and transactions as scripts: the truth that random histories are compared with.

A committed transaction is right if running its script again, alone, on the model as it is at the commit gives the same
answers: that is what serializable means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from docs_layer.store import Reader, Transaction
from tests.docs_layer.store_contract.steps import joined

KEYS = [b"", b"\0", b"a", b"a\0", b"a\0\0", b"ab", b"b", b"b\xff", b"c"]


class Call(NamedTuple):
    """One call of a script: what it is and its arguments."""

    verb: str
    key: bytes
    other: bytes
    value: bytes
    number: int
    flag: bool


class Model:
    """Entries, counters and logs as they are now."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.counters: dict[bytes, int] = {}
        self.logs: dict[bytes, list[bytes]] = {}
        self.epoch = 0

    def copy(self) -> Model:
        """Give a model that changes apart from this one."""
        twin = Model()
        twin.entries = dict(self.entries)
        twin.counters = dict(self.counters)
        twin.logs = {name: list(values) for name, values in self.logs.items()}
        twin.epoch = self.epoch
        return twin

    def range(self, start: bytes, stop: bytes) -> list[bytes]:
        """Give the sorted keys in [start, stop)."""
        return sorted(key for key in self.entries if start <= key < stop)

    def run(self, call: Call) -> object:
        """Do a call and give its answer."""
        return _MODEL_VERBS[call.verb](self, call)

    def assert_same(self, reader: Reader) -> None:
        """Compare everything that a view shows."""
        assert joined(reader.scan(b"", b"z")) == sorted(self.entries.items())
        assert joined(reader.scan(b"", b"z", reverse=True)) == sorted(self.entries.items(), reverse=True)
        assert dict(reader.counters(b"", b"z")) == self.counters
        assert reader.multi_get(KEYS) == [self.entries.get(key) for key in KEYS]
        assert reader.epoch == self.epoch


def _scan(model: Model, call: Call) -> object:
    found = model.range(call.key, call.other)
    if call.flag:
        found.reverse()
    limit = None if call.number < 0 else call.number
    return [(key, model.entries[key]) for key in found[:limit]]


def _insert(model: Model, call: Call) -> object:
    present = [key for key in (call.key, call.other) if key in model.entries]
    if call.key == call.other and not present:
        present = [call.key]
    for key in (call.key, call.other):
        model.entries.setdefault(key, call.value)
    return present


def _delete(model: Model, call: Call) -> None:
    model.entries.pop(call.key, None)


def _delete_range(model: Model, call: Call) -> None:
    for key in model.range(call.key, call.other):
        del model.entries[key]


def _delete_counters(model: Model, call: Call) -> None:
    for name in [name for name in model.counters if call.key <= name < call.other]:
        del model.counters[name]


def _bump(model: Model, _: Call) -> None:
    model.epoch += 1


READING_VERBS = frozenset({"get", "scan", "exists", "counter", "counters"})


def has_written(call: Call, answer: object) -> bool:
    """Tell whether a call was a write: not an insert that found both keys present, nor a deletion of an empty range."""
    if call.verb == "insert":
        return answer != [call.key, call.other]
    if call.verb in {"delete_range", "delete_counters"}:
        return call.key < call.other
    return call.verb not in READING_VERBS


_MODEL_VERBS: dict[str, Callable[[Model, Call], object]] = {
    "get": lambda model, call: model.entries.get(call.key),
    "scan": _scan,
    "exists": lambda model, call: [key in model.entries for key in (call.key, call.other)],
    "insert": _insert,
    "put": lambda model, call: model.entries.update({call.key: call.value}),
    "delete": _delete,
    "delete_range": _delete_range,
    "add": lambda model, call: model.counters.update({call.key: model.counters.get(call.key, 0) + call.number}),
    "counter": lambda model, call: model.counters.get(call.key, 0),
    "counters": lambda model, call: sorted(item for item in model.counters.items() if call.key <= item[0] < call.other),
    "delete_counters": _delete_counters,
    "append": lambda model, call: model.logs.setdefault(call.key, []).append(call.value),
    "bump_epoch": _bump,
}

STORE_VERBS: dict[str, Callable[[Transaction, Call], object]] = {
    "get": lambda tx, call: tx.get(call.key),
    "scan": lambda tx, call: joined(
        tx.scan(call.key, call.other, reverse=call.flag, limit=None if call.number < 0 else call.number)
    ),
    "exists": lambda tx, call: tx.exists([call.key, call.other]),
    "insert": lambda tx, call: tx.insert([(call.key, call.value), (call.other, call.value)]),
    "put": lambda tx, call: tx.put(call.key, call.value),
    "delete": lambda tx, call: tx.delete(call.key),
    "delete_range": lambda tx, call: tx.delete_range(call.key, call.other),
    "add": lambda tx, call: tx.add(call.key, call.number),
    "counter": lambda tx, call: tx.counter(call.key),
    "counters": lambda tx, call: list(tx.counters(call.key, call.other)),
    "delete_counters": lambda tx, call: tx.delete_counters(call.key, call.other),
    "append": lambda tx, call: tx.append(call.key, call.value),
    "bump_epoch": lambda tx, _: tx.bump_epoch(),
}
