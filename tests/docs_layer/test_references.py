"""What deleting does to rows that refer: restrict, cascade, set null; and truncating with all of them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from docs_layer import (
    Col,
    ConflictError,
    Database,
    ForeignKeyViolation,
    Key,
    NotFoundError,
    Ref,
    SchemaError,
    Table,
    auto,
    open_db,
    ref,
)
from docs_layer.store import Store


class Owner(Table):
    """A parent of every kind of referrer."""

    id: Key[int] = auto()
    name: Col[str]


class Pet(Table):
    """Goes with its owner."""

    id: Key[int] = auto()
    owner_id: Ref[Owner] = ref(on_delete="cascade")


class Toy(Table):
    """Goes with its pet, so with the pet's owner."""

    id: Key[int] = auto()
    pet_id: Ref[Pet] = ref(on_delete="cascade")


class Visit(Table):
    """Keeps its row and loses its pet; keeps its owner from going."""

    id: Key[int] = auto()
    pet_id: Ref[Pet, int | None] = ref(default=None, on_delete="set_null")
    payer_id: Ref[Owner, int | None] = ref(default=None)


class Part(Table):
    """A tree that goes with its root."""

    id: Key[int] = auto()
    whole: Ref["Part", int | None] = ref(default=None, on_delete="cascade")


TABLES = [Owner, Pet, Toy, Visit, Part]


@pytest.fixture
def db(store: Store) -> Iterator[Database]:
    """Give an owner with two pets, their toys and visits; the database must be sound in the end."""
    with open_db(store, tables=TABLES) as opened:
        ann, bob = opened.insert_many([Owner(name="Ann"), Owner(name="Bob")])
        rex, tom = opened.insert_many([Pet(owner_id=ann.id), Pet(owner_id=ann.id)])
        opened.insert_many([Toy(pet_id=rex.id), Toy(pet_id=rex.id), Toy(pet_id=tom.id)])
        opened.insert_many([Visit(pet_id=rex.id), Visit(pet_id=tom.id), Visit(payer_id=bob.id)])
        yield opened
        assert str(opened.verify()).endswith("sound")


def _counts(db: Database) -> list[int]:
    return [db.query(Owner).count(), db.query(Pet).count(), db.query(Toy).count(), db.query(Visit).count()]


def test_cascade_takes_grandchildren_and_set_null_keeps_rows(db: Database) -> None:
    """Deleting an owner takes pets and toys; visits stay with a null."""
    assert db.delete(Owner, 1)
    assert _counts(db) == [1, 0, 0, 3]
    assert [visit.pet_id for visit in db.query(Visit)] == [None, None, None]


def test_restrict_somewhere_below_keeps_everything(db: Database) -> None:
    """A deletion that a restricting referrer refuses leaves nothing of its cascade."""
    db.insert(Visit(payer_id=1))
    before = _counts(db)
    with pytest.raises(ForeignKeyViolation, match=r"Owner 1 is still referred to by Visit\.payer_id of 4") as caught:
        db.delete(Owner, 1)
    assert caught.value.referrers == (4,)
    assert _counts(db) == before
    with db.transaction() as transaction:
        with pytest.raises(ForeignKeyViolation):
            transaction.delete(Owner, 1)
        transaction.update(Visit, 4, payer_id=None)
        assert transaction.delete(Owner, 1)
    assert _counts(db) == [1, 0, 0, 4]


def test_circles_end(db: Database) -> None:
    """Rows that refer to each other, or to themselves, go once."""
    with db.transaction() as transaction:
        first = transaction.insert(Part())
        second = transaction.insert(Part(whole=first.id))
        transaction.update(Part, first.id, whole=second.id)
        alone = transaction.insert(Part())
        transaction.update(Part, alone.id, whole=alone.id)
    assert db.delete(Part, first.id)
    assert [part.id for part in db.query(Part)] == [alone.id]
    assert db.delete(Part, alone.id)
    assert db.query(Part).count() == 0


def test_a_deep_tree_goes_in_one_call(db: Database) -> None:
    """Depth costs no stack."""
    with db.transaction() as transaction:
        above = transaction.insert(Part()).id
        root = above
        for _ in range(1500):
            above = transaction.insert(Part(whole=above)).id
    assert db.delete(Part, root)
    assert db.query(Part).count() == 0


def test_a_child_that_comes_while_its_parent_goes_is_a_conflict(db: Database) -> None:
    """The cascade has read which children there are, so one more cannot slip in."""
    with pytest.raises(ConflictError), db.transaction() as transaction:
        transaction.delete(Owner, 1)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(db.insert, Pet(owner_id=1)).result()
    assert db.query(Pet).count() == 3


def test_a_program_without_the_referring_class_cascades_as_well(db: Database) -> None:
    """The catalog decides what happens to referrers, also where no class declares them."""
    other = open_db(db.store, tables=[Owner])
    assert other.delete(Owner, 1)
    assert _counts(db) == [1, 0, 0, 3]


def test_another_action_is_stored_when_a_class_declares_it(db: Database) -> None:
    """What a class says last is what holds, for every handle."""

    class Strict(Table):
        __table_name__ = "Pet"
        id: Key[int] = auto()
        owner_id: Ref[Owner] = ref(on_delete="restrict")

    open_db(db.store, tables=[Owner, Strict])
    with pytest.raises(ForeignKeyViolation):
        db.delete(Owner, 1)


def test_set_null_needs_a_column_that_may_be_null() -> None:
    """A class whose reference could not become null is refused."""

    class Wrong(Table):
        id: Key[int] = auto()
        owner_id: Ref[Owner] = ref(on_delete="set_null")

    with pytest.raises(SchemaError, match="may be null"):
        open_db_in_memory(Wrong)
    with pytest.raises(ValueError, match="explode"):
        ref(on_delete="explode")  # type: ignore[call-overload]  # the mistake


def open_db_in_memory(*tables: type[Table]) -> None:
    """Open the tables and close them again."""
    from docs_layer import MemoryStore  # noqa: PLC0415 - one user

    open_db(MemoryStore(), tables=[Owner, *tables]).close()


def test_truncate_without_cascade_names_a_referrer(db: Database) -> None:
    """A table that is referred to is emptied only with its referrers; one that is not, at once."""
    with pytest.raises(ForeignKeyViolation, match=r"Pet\.owner_id of 1"):
        db.truncate(Owner)
    db.truncate(Toy)
    assert _counts(db) == [2, 2, 0, 3]
    assert db.insert(Toy(pet_id=1)).id == 4
    db.truncate(Visit)
    db.truncate(Part)
    assert _counts(db) == [2, 2, 1, 0]


def test_truncate_with_cascade_empties_referrers_of_referrers(db: Database) -> None:
    """Everything that refers, directly or through others, is empty; new rows begin a sound life."""
    db.truncate(Owner, cascade=True)
    assert _counts(db) == [0, 0, 0, 0]
    owner = db.insert(Owner(name="new"))
    assert db.insert(Pet(owner_id=owner.id)).id == 3


def test_truncating_a_tree_is_its_own_matter(db: Database) -> None:
    """References inside of the table do not keep it from being emptied."""
    db.insert(Part(whole=db.insert(Part()).id))
    db.truncate(Part)
    assert db.query(Part).count() == 0


def test_truncate_and_a_new_referrer_conflict(db: Database) -> None:
    """Of a truncation and an insert that refers to one of its rows, at most one commits."""
    db.truncate(Visit)
    db.truncate(Pet, cascade=True)
    with pytest.raises(ConflictError), db.transaction() as transaction:
        transaction.truncate(Owner)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(db.insert, Pet(owner_id=1)).result()
    assert db.query(Owner).count() == 2


def test_truncate_takes_own_writes_and_can_be_taken_back(db: Database) -> None:
    """In a transaction it sees what was written before, and rolls back with it."""
    with pytest.raises(KeyError), db.transaction() as transaction:
        transaction.insert(Toy(pet_id=1))
        transaction.truncate(Toy)
        assert transaction.query(Toy).count() == 0
        raise KeyError
    assert db.query(Toy).count() == 3


def test_replace_sets_every_column(db: Database) -> None:
    """Columns that the new row leaves out take their defaults; a row that is not there is an error."""
    replaced = db.replace(Visit(id=1, payer_id=2))
    assert (replaced.pet_id, replaced.payer_id) == (None, 2)
    assert db.one(Visit, 1) == replaced
    with pytest.raises(NotFoundError):
        db.replace(Visit(id=99))
    with pytest.raises(NotFoundError):
        db.replace(Visit())
    with pytest.raises(ForeignKeyViolation):
        db.replace(Visit(id=1, payer_id=99))
    assert db.one(Visit, 1) == replaced
