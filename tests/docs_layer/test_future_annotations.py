"""Classes in a module whose annotations are strings work like all others."""

from __future__ import annotations

from docs_layer import Col, Key, Many, MemoryStore, One, Ref, Table, auto, col, follow, inverse, open_db, ref


def test_local_classes_with_string_annotations() -> None:
    """Names of classes that exist only inside a function are found among the given tables."""

    class Parent(Table):
        id: Key[int] = auto()
        children: Many[Child] = inverse("parent_id")

    class Child(Table):
        id: Key[int] = auto()
        name: Col[str | None] = col(default=None)
        parent_id: Ref[Parent] = ref()
        parent: One[Parent] = follow("parent_id")

    with open_db(MemoryStore(), tables=[Parent, Child]) as db:
        parent = db.insert(Parent())
        child = db.insert(Child(parent_id=parent.id))
        assert db.query(Child).where(Child.parent_id == parent.id, Child.name.is_null()).all() == [child]
