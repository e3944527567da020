"""Strategies draw what they promise, and what they draw is legal."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lsm.testing import (
    Commit,
    Fault,
    Inspection,
    Operation,
    Pending,
    Plan,
    Profile,
    Recording,
    SimulatedFileSystem,
    State,
    Workload,
    after,
    explore,
    state_ledger,
)
from lsm.testing.strategies import commits, faults, operations, survival

PENDING = st.lists(
    st.one_of(
        st.builds(Pending, st.just("content"), st.integers(1, 9000), st.integers(0, 9000), st.integers(0, 2)),
        st.builds(Pending, st.sampled_from(["names", "length"]), file=st.integers(0, 2), journaled=st.booleans()),
    ),
    max_size=5,
)


@given(commits())
def test_commits_have_an_effect(commit: Commit) -> None:
    """Every way of writing can be folded into a state."""
    assert isinstance(after({}, commit.effect), dict)
    assert commit.way != "plain" or len(commit.statements) == 1


@given(PENDING, st.sampled_from(["strict", "ext4", "xfs"]), st.data())
def test_a_drawn_survival_is_legal(pending: list[Pending], profile: Profile, data: st.DataObject) -> None:
    """With a journal there is no name without the ones before it, nor without one that was sent along."""
    choice = data.draw(survival(pending, profile=profile))

    names = [choice.fate(at).is_whole for at, change in enumerate(pending) if change.kind == "names"]
    sent = [change.journaled for change in pending if change.kind == "names"]
    if profile != "strict":
        assert names == sorted(names, reverse=True)
        assert all(kept for kept, journaled in zip(names, sent, strict=True) if journaled)


@given(faults())
def test_a_drawn_fault_is_in_force(fault: Fault) -> None:
    """It can be given to a file system, and taken away."""
    filesystem = SimulatedFileSystem()

    filesystem.fail(fault)
    filesystem.heal()

    assert filesystem.faults == ()


@settings(max_examples=max(settings().max_examples // 10, 5))
@given(st.lists(operations(checkpoint="/copy"), max_size=12))
def test_any_workload_survives_crashes_at_its_syncs(steps: list[Operation]) -> None:
    """Random operations, crashed at every sync."""
    inspection = Inspection(verify_every=50)

    def program(recording: Recording[State]) -> None:
        inspection.workload = Workload(recording)
        inspection.workload.run(steps)

    plan = Plan(at="sync*", call_stride=11, canonical=False, samples=1, aftermath_stride=7)
    explore(program, inspection, plan, ledger=state_ledger())
