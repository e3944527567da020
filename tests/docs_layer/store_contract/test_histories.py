"""Random histories of overlapping transactions: what commits is serializable, and snapshots never move."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs_layer.errors import ConflictError
from docs_layer.store import Snapshot, Store, Transaction
from tests.docs_layer.store_contract.conftest import IMPLEMENTATIONS
from tests.docs_layer.store_contract.model import KEYS, STORE_VERBS, Call, Model, has_written

NAMES = st.sampled_from(KEYS[:3]) | st.sampled_from(KEYS)
CALLS = st.builds(
    Call,
    verb=st.sampled_from(sorted(STORE_VERBS)),
    key=NAMES,
    other=NAMES,
    value=st.binary(max_size=2),
    number=st.integers(-1, 3),
    flag=st.booleans(),
)
# Few keys and many commits, so that transactions meet.
CONTROLS = st.sampled_from(["commit"] * 6 + ["rollback", "mark", "rollback to mark", "snapshot"])
STEPS = st.tuples(st.integers(0, 2), CALLS | CALLS | CONTROLS)


class Script:
    """A transaction and what it was asked and answered so far."""

    def __init__(self, store: Store, model: Model) -> None:
        self.transaction: Transaction = store.transaction()
        self.seen = model.copy()
        """What the transaction should see: the model as it was at the beginning, and own writes."""
        self.calls: list[tuple[Call, object]] = []
        self.marks: list[tuple[int, int, Model]] = []

    def run(self, call: Call) -> None:
        """Do a call in the store and in the private model; both give the same answer."""
        answer = STORE_VERBS[call.verb](self.transaction, call)
        assert answer == self.seen.run(call)
        self.calls.append((call, answer))

    def mark(self) -> None:
        """Remember where the script is."""
        self.marks.append((self.transaction.mark(), len(self.calls), self.seen.copy()))

    def back_to_mark(self) -> None:
        """Undo what was written since the last mark, if there is one."""
        if self.marks:
            mark, length, self.seen = self.marks.pop()
            self.transaction.rollback_to(mark)
            del self.calls[length:]

    def repeat_on(self, model: Model) -> None:
        """Run the script alone on a model: every answer has to be the one that the transaction got."""
        for call, answer in self.calls:
            assert model.run(call) == answer


class History:
    """Three transactions at a time on one store, and the model of what was committed."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.model = Model()
        self.scripts: dict[int, Script] = {}
        self.snapshots: list[tuple[Snapshot, Model]] = []
        self.epochs: dict[int, int] = {}

    def step(self, number: int, action: Call | str) -> None:
        """Do one step in the transaction of that number; it begins with its first step."""
        if action == "snapshot":
            self.snapshots.append((self.store.snapshot(), self.model.copy()))
            return
        script = self.scripts.get(number)
        if script is None:
            script = self.scripts[number] = Script(self.store, self.model)
        if isinstance(action, Call):
            script.run(action)
        elif action == "mark":
            script.mark()
        elif action == "rollback to mark":
            script.back_to_mark()
        elif action == "rollback":
            self.scripts.pop(number).transaction.rollback()
        else:
            self.commit(self.scripts.pop(number))

    def commit(self, script: Script) -> None:
        """Commit; if the store agrees, the script alone on the newest model gives the same answers."""
        began_with = script.transaction.epoch
        try:
            script.transaction.commit()
        except ConflictError:
            return
        if not any(has_written(call, answer) for call, answer in script.calls):
            return  # It saw its snapshot, as `Script.run` has checked, and takes its place there.
        assert self.model.epoch == began_with
        script.repeat_on(self.model)

    def finish(self) -> None:
        """Compare everything that every view shows."""
        for snapshot, model in self.snapshots:
            model.assert_same(snapshot)
            snapshot.close()
        with self.store.snapshot() as snapshot:
            self.model.assert_same(snapshot)
            for name in KEYS:
                assert [value for _, value in snapshot.log(name)] == self.model.logs.get(name, [])


@pytest.mark.model
@pytest.mark.parametrize("implementation", sorted(IMPLEMENTATIONS))
@given(st.lists(STEPS, min_size=20, max_size=60))
def test_committed_transactions_are_serializable(implementation: str, steps: list[tuple[int, Call | str]]) -> None:
    """Any mix of reads and writes of three overlapping transactions, with marks and rollbacks."""
    store = IMPLEMENTATIONS[implementation]()
    try:
        history = History(store)
        for number, action in steps:
            history.step(number, action)
        history.finish()
    finally:
        store.close()
