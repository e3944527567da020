"""What was promised: for each writer its commits in order, how many were acknowledged, how many are durable.

It lives in the parent, where no crash can touch it, and hears of everything through messages in their order. How much
is durable is right as long as one process writes at a time, so that its opening is a recovery.

Commits are counted for each writer from the first ever. What a crash leaves must be, for each writer, the state after
its first n commits, with durable <= n after a power cut, acknowledged <= n after a kill, and n <= issued always. All
writers share one order of commits, so a commit is there only with everything that was acknowledged before it began.
"""

from __future__ import annotations

import msgspec

from lsm.testing.crashtest.messages import Answered, Closed, Issued, Message, Opened, Recovered
from lsm.testing.crashtest.plan import (
    COUNTER,
    TOTAL,
    Barrier,
    Checkpoint,
    Commit,
    Step,
    apply,
    count_key,
    digest,
    prefix_of,
)

Counts = tuple[int, ...]
"""One number of commits for each writer."""


class Issue(msgspec.Struct, frozen=True):
    """One commit: its step number, what it does, and how many commits of each writer stand before it for certain."""

    number: int
    commit: Commit
    needs: Counts


class WriterHistory(msgspec.Struct):
    """The commits of one writer that are not settled: those behind the first `settled`, whose state is `base`."""

    base: dict[bytes, bytes] = {}
    settled: int = 0
    issues: list[Issue] = []
    acknowledged: int = 0
    durable: int = 0
    last_number: int = 0
    """Of its steps, so that values never repeat."""

    @property
    def issued(self) -> int:
        """How many commits were begun."""
        return self.settled + len(self.issues)


class Present(msgspec.Struct, frozen=True):
    """A step without an answer, and how many commits of each writer were acknowledged when it began."""

    step: Step
    before: Counts


class PromisedCheckpoint(msgspec.Struct):
    """A checkpoint has, of each writer, from `least` to `most` commits. `finished`: it must be there."""

    name: str
    least: Counts
    most: Counts
    finished: bool = False


class BrokenPromiseError(Exception):
    """What is in a database is not what was promised."""


class History(msgspec.Struct):
    """All writers of one directory."""

    writers: list[WriterHistory]
    checkpoints: dict[int, PromisedCheckpoint] = {}
    """The last one of each writer."""
    present: dict[int, Present] = {}
    """Writer -> the step that it is at."""

    @classmethod
    def of(cls, writers: int) -> History:
        """Return the history of an empty database."""
        return cls([WriterHistory() for _ in range(writers)])

    @property
    def acknowledged(self) -> Counts:
        """What survives a kill."""
        return tuple(writer.acknowledged for writer in self.writers)

    @property
    def durable(self) -> Counts:
        """What survives a power cut."""
        return tuple(writer.durable for writer in self.writers)

    @property
    def issued(self) -> Counts:
        """The most that can be there."""
        return tuple(writer.issued for writer in self.writers)

    def hear(self, message: Message) -> None:
        """Enter one message; messages come in their order. Raises `BrokenPromiseError`."""
        if isinstance(message, Issued):
            self._issued(message)
        elif isinstance(message, Answered):
            self._answered(message)
        elif isinstance(message, Recovered):
            self._recovered(message)
        elif isinstance(message, Opened | Closed):
            self.all_durable()

    def _issued(self, message: Issued) -> None:
        writer = self.writers[message.writer]
        writer.last_number = message.number
        before = self.acknowledged
        self.present[message.writer] = Present(message.step, before)
        if isinstance(message.step, Commit):
            writer.issues.append(Issue(message.number, message.step, before))
        elif isinstance(message.step, Checkpoint):
            self.checkpoints[message.writer] = PromisedCheckpoint(message.step.name, before, ())

    def _answered(self, message: Answered) -> None:
        writer = self.writers[message.writer]
        step, before = msgspec.structs.astuple(self.present.pop(message.writer))
        if message.outcome == "refused":
            if isinstance(step, Commit):
                writer.issues.pop()
            elif isinstance(step, Checkpoint):
                del self.checkpoints[message.writer]
            return
        if isinstance(step, Commit):
            writer.acknowledged = writer.issued
        elif isinstance(step, Checkpoint):
            self.checkpoints[message.writer].most = self.issued
            self.checkpoints[message.writer].finished = True
        if isinstance(step, Barrier) or (isinstance(step, Commit) and step.sync):
            for other, count in zip(self.writers, before, strict=True):
                other.durable = max(other.durable, count)
        if isinstance(step, Commit) and step.sync:
            writer.durable = writer.issued

    def _recovered(self, message: Recovered) -> None:
        """Learn what became of a commit that had no answer when its process ended: it is there, or it never was."""
        writer = self.writers[message.writer]
        state = dict(writer.base)
        states = [digest(state)]
        for issue in writer.issues:
            apply(state, message.writer, issue.number, issue.commit)
            states.append(digest(state))
        least = writer.acknowledged - writer.settled
        if message.digest not in states[least:]:
            raise BrokenPromiseError(f"writer {message.writer} begins with a state that was never promised to it")
        del writer.issues[least + states[least:].index(message.digest) :]
        writer.acknowledged = writer.issued
        writer.durable = writer.issued

    def all_durable(self) -> None:
        """Enter that everything acknowledged is durable: the database was closed, or recovered."""
        for writer in self.writers:
            writer.durable = writer.acknowledged

    def ended(self) -> None:
        """Enter that all processes have ended: a step without an answer never gets one."""
        self.present.clear()

    def settle(self, counts: Counts | None = None) -> None:
        """Forget how the first commits were made, those in `counts` or all durable ones: no check will ask for less."""
        for index, (writer, count) in enumerate(zip(self.writers, counts or self.durable, strict=True)):
            gone = max(count - writer.settled, 0)
            for issue in writer.issues[:gone]:
                apply(writer.base, index, issue.number, issue.commit)
            del writer.issues[:gone]
            writer.settled += gone

    def adopt(self, content: dict[bytes, bytes]) -> None:
        """Begin anew from what was found after a crash and was right."""
        for index, writer in enumerate(self.writers):
            writer.base = own(content, index)
            writer.settled = writer.acknowledged = writer.durable = writer.issued
            writer.issues = []
        self.checkpoints.clear()
        self.ended()


def own(content: dict[bytes, bytes], writer: int) -> dict[bytes, bytes]:
    """Return the part of a content that belongs to one writer."""
    prefix = prefix_of(writer)
    return {key: value for key, value in content.items() if key.startswith(prefix)}


def check(history: History, content: dict[bytes, bytes], counter: int, least: Counts, most: Counts) -> Counts:
    """Compare a content with the history; return how many commits of each writer are there, the least that fit.

    Raises `BrokenPromiseError` when it is no state that may be there.
    """
    found = [_matches(history, index, content, least[index], most[index]) for index in range(len(history.writers))]
    low = tuple(first for first, _ in found)
    high = tuple(last for _, last in found)
    for index, writer in enumerate(history.writers):
        if low[index] > writer.settled:
            needs = writer.issues[low[index] - writer.settled - 1].needs
            for other, need in enumerate(needs):
                if high[other] < need:
                    raise BrokenPromiseError(
                        f"a hole in the order of commits: writer {index} has {low[index]} commits, the last one began "
                        f"after commit {need} of writer {other} was acknowledged, but that one has {high[other]}"
                    )
    _check_shared(history, content, counter)
    return low


def _matches(history: History, index: int, content: dict[bytes, bytes], least: int, most: int) -> tuple[int, int]:
    """Return the least and the greatest number of commits whose state is the content; raise if there is none."""
    writer = history.writers[index]
    wanted = own(content, index)
    state = dict(writer.base)
    differing = {key for key in {*state, *wanted} if state.get(key) != wanted.get(key)}
    matches: list[int] = []
    described = ""
    for count in range(writer.settled, most + 1):
        if count > writer.settled:
            issue = writer.issues[count - writer.settled - 1]
            for key in apply(state, index, issue.number, issue.commit):
                if state.get(key) == wanted.get(key):
                    differing.discard(key)
                else:
                    differing.add(key)
        if not differing:
            matches.append(count)
        if count == max(least, writer.settled):
            described = _difference(state, wanted, differing)
    fitting = [count for count in matches if count >= least]
    if not fitting:
        lost = f"; it is the state after {matches[-1]}: promised commits are lost" if matches else ""
        raise BrokenPromiseError(
            f"writer {index}: the content is no state from {least} to {most}{lost}; at {least}: {described}"
        )
    return fitting[0], fitting[-1]


def _difference(state: dict[bytes, bytes], wanted: dict[bytes, bytes], differing: set[bytes]) -> str:
    """Describe how a content differs from a state, in a line."""
    missing = sorted(key for key in differing if key not in wanted)
    surplus = sorted(key for key in differing if key not in state)
    other = sorted(differing.difference(missing, surplus))
    return f"missing {missing[:5]}, surplus {surplus[:5]}, other values {other[:5]}"


def _check_shared(history: History, content: dict[bytes, bytes], counter: int) -> None:
    """What transactions of all writers share must be the sum of what each of them counts."""
    counted = sum(int(content.get(count_key(index), b"0")) for index in range(len(history.writers)))
    total = int(content.get(TOTAL, b"0"))
    if not counted == total == counter:
        raise BrokenPromiseError(
            f"{counted} transactions are counted, but {TOTAL!r} is {total} and counter {COUNTER!r} {counter}"
        )
    known = (*(prefix_of(index) for index in range(len(history.writers))), TOTAL)
    foreign = [key for key in content if not key.startswith(known)]
    if foreign:
        raise BrokenPromiseError(f"keys that nobody wrote: {foreign[:5]}")
