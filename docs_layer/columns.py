"""What stands right of the `:` in a table class: `Key[int]`, `Col[str]`, `Ref[Author]`, `Many["Book"]`, `One[Author]`.

Two faces of the same names. For static checkers they are descriptors: `Book.year` is a `Column[Book, int]` and
`book.year` an `int`, without a plugin. `__set__` tells them what the constructor takes, and by `Never` that rows are
frozen (marking the classes as frozen would make mypy forget the descriptors of inherited columns). At run time each
is `Annotated[type, ColumnMarker(...)]`, so that msgspec sees plain types and rows are C structs whose columns are
slots. Nothing here has state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, Never, overload

from typing_extensions import TypeVar

from docs_layer.expressions import Column, RefColumn, Relation

Kind = TypeVar("Kind")
Owner = TypeVar("Owner")
Target = TypeVar("Target")
Target_co = TypeVar("Target_co", covariant=True)
KeyKind = TypeVar("KeyKind", default=int)


@dataclass(frozen=True, slots=True)
class ColumnMarker:
    """What an annotation says beside the type: its role, and the table a reference or relation leads to."""

    role: str
    target: Any = None


if TYPE_CHECKING:

    class Col(Generic[Kind]):
        """A column; `Col[T]` holds a T."""

        @overload
        def __get__(self, row: None, table: type[Owner]) -> Column[Owner, Kind]: ...
        @overload
        def __get__(self, row: object, table: Any) -> Kind: ...
        def __get__(self, row: Any, table: Any) -> Any: ...
        def __set__(self, row: Never, value: Kind) -> None: ...

    class Key(Generic[Kind]):
        """A column of the primary key; several make it composite, in the order they stand."""

        @overload
        def __get__(self, row: None, table: type[Owner]) -> Column[Owner, Kind]: ...
        @overload
        def __get__(self, row: object, table: Any) -> Kind: ...
        def __get__(self, row: Any, table: Any) -> Any: ...
        def __set__(self, row: Never, value: Kind) -> None: ...

    class Ref(Generic[Target, KeyKind]):
        """A column that holds the primary key of a row of `Target`; `Ref[Country, str]` where that key is a str."""

        @overload
        def __get__(self, row: None, table: type[Owner]) -> RefColumn[Owner, Target, KeyKind]: ...
        @overload
        def __get__(self, row: object, table: Any) -> KeyKind: ...
        def __get__(self, row: Any, table: Any) -> Any: ...
        def __set__(self, row: Never, value: KeyKind) -> None: ...

    class Many(Generic[Target_co]):
        """The rows of another table that refer to this one."""

        @overload
        def __get__(self, row: None, table: type[Owner]) -> Relation[Owner, Target_co]: ...
        @overload
        def __get__(self, row: object, table: Any) -> tuple[Target_co, ...]: ...
        def __get__(self, row: Any, table: Any) -> Any: ...
        def __set__(self, row: Never, value: Never) -> None: ...

    class One(Generic[Target_co]):
        """The row of another table that this one refers to."""

        @overload
        def __get__(self, row: None, table: type[Owner]) -> Relation[Owner, Target_co]: ...
        @overload
        def __get__(self, row: object, table: Any) -> Target_co: ...
        def __get__(self, row: Any, table: Any) -> Any: ...
        def __set__(self, row: Never, value: Never) -> None: ...

else:

    class Col:
        """A column; `Col[T]` holds a T."""

        def __class_getitem__(cls, kind: Any) -> Any:
            return Annotated[kind, ColumnMarker("column")]

    class Key:
        """A column of the primary key; several make it composite, in the order they stand."""

        def __class_getitem__(cls, kind: Any) -> Any:
            return Annotated[kind, ColumnMarker("key")]

    class Ref:
        """A column that holds the primary key of a row of `Target`; `Ref[Country, str]` where that key is a str."""

        def __class_getitem__(cls, parameters: Any) -> Any:
            target, kind = parameters if isinstance(parameters, tuple) else (parameters, int)
            return Annotated[kind, ColumnMarker("reference", target)]

    class Many:
        """The rows of another table that refer to this one."""

        def __class_getitem__(cls, target: Any) -> Any:
            return Annotated[Any, ColumnMarker("many", target)]

    class One:
        """The row of another table that this one refers to."""

        def __class_getitem__(cls, target: Any) -> Any:
            return Annotated[Any, ColumnMarker("one", target)]
