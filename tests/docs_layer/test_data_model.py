"""What a column can hold beside the plain kinds: enums, literals, tuples; checks over rows; rows as Python values."""

import copy
import pickle
import sys
from collections.abc import Iterator
from datetime import date
from enum import Enum, IntEnum, StrEnum
from typing import Any, Literal

import msgspec
import pytest

from docs_layer import (
    Col,
    CorruptionError,
    Database,
    Key,
    MemoryStore,
    SchemaError,
    Table,
    UniqueViolation,
    ValidationError,
    asdict,
    auto,
    col,
    index,
    open_db,
    replace,
    table_from_catalog,
)
from docs_layer.store import Store
from tests.docs_layer.samples import Address, Everything, Visit


class Color(Enum):
    """Members that are no text."""

    RED = "red"
    BLUE = "blue"
    NO_NAME = "a\0"


class Size(Enum):
    """Members that are no numbers."""

    SMALL = 1
    LARGE = 20


class Level(StrEnum):
    """Members that are text."""

    LOW = "low"
    HIGH = "high"


class Rank(IntEnum):
    """Members that are numbers."""

    FIRST = 1
    SECOND = 2


def ends_after_it_begins(row: Any) -> bool:
    """Check two columns against each other."""
    return row.end is None or row.begin <= row.end


class Car(Table):
    """An enum of each sort, and what is like one."""

    level: Key[Level]
    number: Key[int]
    color: Col[Color] = col(default=Color.RED)
    second: Col[Color | None] = col(default=None)
    size: Col[Size | None] = col(default=None, unique=True)
    rank: Col[Rank] = col(default=Rank.FIRST)
    fuel: Col[Literal["petrol", "power"]] = col(default="power")
    doors: Col[Literal[3, 5] | None] = col(default=None)
    seen: Col[list[Color]] = col(default_factory=list)
    pair: Col[tuple[int, str] | None] = col(default=None)
    begin: Col[date] = col(default=date(2024, 1, 1))
    end: Col[date | None] = col(default=None)
    __indexes__ = [
        index("-color", "second"),
        index("rank", "-fuel"),
        index("seen[]"),
        index("color", where=lambda car: car.second == Color.BLUE, name="partial"),
    ]
    __checks__ = [ends_after_it_begins]


@pytest.fixture
def db(store: Store) -> Iterator[Database]:
    """Give some cars; whatever a test did, they must be sound in the end."""
    with open_db(store, tables=[Car]) as opened:
        opened.insert_many(
            [
                Car(level=Level.LOW, number=1),
                Car(level=Level.LOW, number=2, color=Color.BLUE, second=Color.RED, size=Size.SMALL, rank=Rank.SECOND),
                Car(level=Level.HIGH, number=1, second=Color.NO_NAME, doors=5, seen=[Color.RED, Color.BLUE]),
                Car(level=Level.HIGH, number=2, color=Color.NO_NAME, second=Color.BLUE, pair=(1, "x"), fuel="petrol"),
            ]
        )
        yield opened
        assert str(opened.verify()).endswith("sound")


def _numbers(query: Any) -> list[tuple[str, int]]:
    return sorted((row.level.value, row.number) for row in query)


def test_members_come_back_as_members(db: Database) -> None:
    """Rows hold members, whether they are text or numbers or neither."""
    car = db.one(Car, (Level.LOW, 2))
    assert (car.level, car.color, car.second, car.size, car.rank) == (
        Level.LOW,
        Color.BLUE,
        Color.RED,
        Size.SMALL,
        Rank.SECOND,
    )
    assert isinstance(car.level, Level)
    assert isinstance(car.rank, Rank)
    assert db.one(Car, ("high", 1)).seen == [Color.RED, Color.BLUE]
    assert db.one(Car, ("high", 2)).pair == (1, "x")


def test_members_are_compared_and_ordered_by_their_values(db: Database) -> None:
    """By scan and by index alike; a condition takes members as well as values."""
    assert _numbers(db.query(Car).where(Car.color == Color.BLUE)) == [("low", 2)]
    assert "index" in db.query(Car).where(Car.color == Color.BLUE).explain().path
    anything: Any = Car.color
    assert _numbers(db.query(Car).where(anything == "blue")) == [("low", 2)]
    assert _numbers(db.query(Car).where(Car.color != Color.RED, Car.number == 2)) == [("high", 2), ("low", 2)]
    assert _numbers(db.query(Car).where(Car.second.in_([Color.RED, None]))) == [("low", 1), ("low", 2)]
    assert _numbers(db.query(Car).where(Car.rank >= Rank.SECOND)) == [("low", 2)]
    assert _numbers(db.query(Car).where(Car.size == Size.SMALL)) == [("low", 2)]
    assert _numbers(db.query(Car).where(Car.level == Level.HIGH, Car.fuel == "power")) == [("high", 1)]
    ordered = [row.color for row in db.query(Car).order_by(Car.color, -Car.number)]
    assert ordered == [Color.NO_NAME, Color.BLUE, Color.RED, Color.RED]
    assert [row.color for row in db.query(Car).order_by(-Car.color)] == ordered[::-1]


def test_members_are_written_like_other_values(db: Database) -> None:
    """Updates, uniqueness, and what no member stands for."""
    assert db.update(Car, ("low", 1), color=Color.BLUE, seen=[Color.BLUE]).color is Color.BLUE
    with pytest.raises(UniqueViolation, match="size=1 is already there"):
        db.update(Car, ("low", 1), size=Size.SMALL)
    wrong: list[dict[str, Any]] = [
        {"color": "green"},
        {"color": 5},
        {"fuel": "wood"},
        {"doors": 4},
        {"rank": 9},
        {"pair": (1,)},
    ]
    for values in wrong:
        with pytest.raises(ValidationError, match=next(iter(values))):
            db.update(Car, ("low", 1), **values)
    assert db.delete(Car, (Level.LOW, 1))


def test_a_program_without_the_class_sees_values(db: Database) -> None:
    """The catalog knows text and numbers, and maintains the same entries from them."""
    other = open_db(db.store)
    car = table_from_catalog(other, "Car")
    row: Any = other.one(car, ("low", 2))
    assert (row.color, row.size, row.rank) == ("blue", 1, 2)
    other.update(car, ("low", 2), color="red", second="blue", size=20)
    assert db.one(Car, ("low", 2)).size is Size.LARGE
    other.update(car, ("low", 1), color="green")
    with pytest.raises(CorruptionError, match="green"):
        db.get(Car, ("low", 1))
    other.update(car, ("low", 1), color="red")


def test_enums_that_cannot_be_columns() -> None:
    """Values of mixed types have no kind; members that are no text or number are no keys."""

    class Mixed(Enum):
        ONE = 1
        TWO = "two"

    class Wrong(Table):
        id: Key[int] = auto()
        value: Col[Mixed]

    class WrongKey(Table):
        color: Key[Color]

    with pytest.raises(SchemaError, match="all str or all int"):
        open_db(MemoryStore(), tables=[Wrong])
    with pytest.raises(SchemaError, match="StrEnum"):
        open_db(MemoryStore(), tables=[WrongKey])


def test_checks_over_several_columns(db: Database) -> None:
    """A row that a check refuses is not written, by whichever verb; the check is named."""
    problem = "ends_after_it_begins of __checks__"
    with pytest.raises(ValidationError, match=problem):
        db.insert(Car(level=Level.LOW, number=9, end=date(2023, 1, 1)))
    with pytest.raises(ValidationError, match=problem):
        db.update(Car, ("low", 1), end=date(2023, 1, 1))
    with pytest.raises(ValidationError, match=problem):
        db.query(Car).update(begin=date(2025, 1, 1), end=date(2024, 1, 1))
    assert db.update(Car, ("low", 1), end=date(2024, 1, 1)).end == date(2024, 1, 1)

    class Wrong(Table):
        id: Key[int] = auto()
        __checks__ = ["id > 5"]  # type: ignore[list-item]  # the mistake

    with pytest.raises(SchemaError, match="__checks__"):
        open_db(MemoryStore(), tables=[Wrong])


def test_rows_are_python_values(db: Database) -> None:
    """Equal by value, picklable, copied, converted; frozen, and slotted."""
    for row in (db.one(Car, ("high", 2)), Everything(address=Address("Wien"), items=[1]), Visit(country="at", year=1)):
        assert pickle.loads(pickle.dumps(row)) == row  # noqa: S301 - made one line before
        assert copy.copy(row) == copy.deepcopy(row) == row
        assert replace(row) == row
        assert type(row)(**asdict(row)) == row
        assert not hasattr(row, "__dict__")
        with pytest.raises(AttributeError):
            setattr(row, "number", 5)  # noqa: B010 - checkers would refuse it, too
    car: Any = db.one(Car, ("high", 2))
    assert replace(car, number=3) != car
    assert msgspec.structs.replace(car, number=3) == replace(car, number=3)
    if sys.version_info >= (3, 13):
        assert copy.replace(car, number=3) == replace(car, number=3)
