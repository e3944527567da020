"""Conditions as the catalog keeps them, for partial indexes: nodes to msgpack and back, columns by field number.

    condition  = ["compare", value, operator, constant] | ["in", value, [constant*]] | ["exists", value]
               | ["matches", value, test, text, ignore case] | ["has", value, condition]
               | ["not", condition] | ["and", condition*] | ["or", condition*]
    value      = ["column", field number] | ["root"] | ["step", value, name or place] | ["call", function, value]
               | ["element", value, every]
    constant   = what `document_codec` writes

Two conditions are the same index if their bytes are equal. Pure functions; any thread may use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from docs_layer.document_codec import decode_document, encode_document
from docs_layer.errors import QueryError
from docs_layer.nodes import (
    AllOf,
    AnyOf,
    CallNode,
    ColumnNode,
    Compare,
    ElementNode,
    Exists,
    Function,
    HasElement,
    IsIn,
    Matches,
    Node,
    Not,
    Operator,
    RootNode,
    StepNode,
    TextTest,
    ValueNode,
)

_OPERATORS: Final = get_args(Operator)
_TESTS: Final = get_args(TextTest)
_FUNCTIONS: Final = get_args(Function)


def condition_bytes(node: Node, fields: Mapping[str, int]) -> bytes:
    """Return a condition as it is stored.

    Args:
        node: The condition.
        fields: Field numbers by column name.

    Raises:
        QueryError: It compares two values of a row, or with a constant that cannot be stored.
    """
    try:
        return encode_document(_plain(node, fields))[0]
    except (TypeError, ValueError, OverflowError) as error:
        raise QueryError(f"a condition of an index cannot be stored: {error}") from error


def condition_of(stored: bytes, names: Mapping[int, str], owner: type) -> Node:
    """Return a stored condition over the columns of a class.

    Raises:
        ValueError: The bytes are no condition.
    """
    try:
        return _condition(decode_document(stored), names, owner)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"not a condition: {error!r}") from error


def _plain(node: Node, fields: Mapping[str, int]) -> list[Any]:
    match node:
        case Compare():
            if isinstance(node.value, ValueNode):
                raise QueryError("the condition of an index compares with constants only")
            return ["compare", _plain_value(node.column, fields), node.operator, node.value]
        case IsIn():
            return ["in", _plain_value(node.column, fields), list(node.values)]
        case Exists():
            return ["exists", _plain_value(node.column, fields)]
        case Matches():
            return ["matches", _plain_value(node.column, fields), node.test, node.text, node.ignore_case]
        case HasElement():
            return ["has", _plain_value(node.column, fields), _plain(node.part, fields)]
        case Not():
            return ["not", _plain(node.part, fields)]
        case AllOf():
            return ["and", *(_plain(part, fields) for part in node.parts)]
        case AnyOf():
            return ["or", *(_plain(part, fields) for part in node.parts)]


def _plain_value(node: ValueNode, fields: Mapping[str, int]) -> list[Any]:
    match node:
        case ColumnNode():
            return ["column", fields[node.name]]
        case RootNode():
            return ["root"]
        case StepNode():
            return ["step", _plain_value(node.of, fields), node.step]
        case CallNode():
            return ["call", node.function, _plain_value(node.of, fields)]
        case ElementNode():
            return ["element", _plain_value(node.of, fields), node.every]


def _condition(stored: list[Any], names: Mapping[int, str], owner: type) -> Node:
    kind, *rest = stored
    match kind:
        case "not":
            return Not(_condition(rest[0], names, owner))
        case "and":
            return AllOf(tuple(_condition(part, names, owner) for part in rest))
        case "or":
            return AnyOf(tuple(_condition(part, names, owner) for part in rest))
    value = _value(rest[0], names, owner)
    match kind:
        case "compare":
            return Compare(value, _known(rest[1], _OPERATORS), rest[2])
        case "in":
            return IsIn(value, tuple(rest[1]))
        case "exists":
            return Exists(value)
        case "matches":
            return Matches(value, _known(rest[1], _TESTS), str(rest[2]), bool(rest[3]))
        case "has":
            return HasElement(value, _condition(rest[1], names, owner))
    raise ValueError(f"not a condition: {kind!r}")


def _value(stored: list[Any], names: Mapping[int, str], owner: type) -> ValueNode:
    match stored:
        case ["column", int(number)]:
            return ColumnNode(owner, names[number])
        case ["root"]:
            return RootNode()
        case ["step", list(inner), str(step) | int(step)]:
            return StepNode(_value(inner, names, owner), step)
        case ["call", function, list(inner)]:
            return CallNode(_known(function, _FUNCTIONS), _value(inner, names, owner))
        case ["element", list(inner), bool(every)]:
            return ElementNode(_value(inner, names, owner), every)
    raise ValueError(f"not a value: {stored!r}")


def _known(word: Any, words: tuple[Any, ...]) -> Any:
    if word not in words:
        raise ValueError(f"{word!r} is none of {words}")
    return word
