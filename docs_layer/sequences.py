"""Automatic ids: leases of number ranges from the store, handed out one by one.

Owns the sizes of leases. A lease is taken outside every transaction, so ids are unique and never block writers; they
increase within a process and have gaps; what was leased and not used is given back at close. Leases grow 1, 2, 4 ...
1,024 while the last one was used up within a second, so a slow writer wastes little and a fast one seldom asks.

Thread safety: one lock guards all leases; it is held while the store allocates.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from docs_layer.store import Store

LARGEST_LEASE: Final = 1024
GROWTH_SECONDS: Final = 1.0
LARGEST_MOVING_ID: Final = 1 << 62
"""An explicit id above this does not move its sequence, so that one stray id cannot use the numbers up."""


@dataclass(slots=True)
class _Lease:
    """Numbers from `next` to before `stop` are left of the `size` taken; none up to `moved_to` will be allocated."""

    next: int = 0
    stop: int = 0
    size: int = 0
    taken_at: float = 0.0
    moved_to: int = 0
    step: int = 1


class Sequences:
    """Hands out automatic ids of all tables of one store."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without leases.

        Args:
            store: Where numbers are allocated.
            clock: Seconds that only go up.
        """
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._leases: dict[bytes, _Lease] = {}  # guarded by _lock

    def take(self, name: bytes, count: int) -> Sequence[int]:
        """Return `count` new numbers of a sequence, ascending. Cost: 0.5 µs, and a store call when a lease ends."""
        with self._lock:
            lease = self._leases.get(name)
            if lease is None:
                lease = self._leases[name] = _Lease()
            if lease.stop - lease.next >= count:
                first = lease.next
                lease.next += count
                return range(first, lease.next)
            numbers = list(range(lease.next, lease.stop))
            self._renew_locked(name, lease, count - len(numbers))
            rest = count - len(numbers)
            numbers += range(lease.next, lease.next + rest)
            lease.next += rest
            return numbers

    def move(self, name: bytes, used: int) -> None:
        """Let a sequence go on above a number that was given explicitly.

        The store is asked ahead in growing steps, so that loading rows with ascending ids costs few calls.
        """
        if used > LARGEST_MOVING_ID:
            return
        with self._lock:
            lease = self._leases.setdefault(name, _Lease())
            if used <= lease.moved_to or used < lease.stop:
                return
            lease.step = min(lease.step * 2, LARGEST_LEASE)
            lease.moved_to = used + lease.step - 2
            self._store.reserve(name, lease.moved_to)

    def close(self) -> None:
        """Give unused numbers back, as far as nobody was given later ones; a failure to do so only leaves gaps."""
        with self._lock:
            for name, lease in self._leases.items():
                if lease.next < lease.stop:
                    with suppress(Exception):  # whatever the store's errors are: closing it goes on
                        self._store.give_back(name, lease.next, lease.stop - 1)
                    lease.next = lease.stop

    def _renew_locked(self, name: bytes, lease: _Lease, needed: int) -> None:
        now = self._clock()
        is_fast = lease.size > 0 and now - lease.taken_at < GROWTH_SECONDS
        lease.size = min(lease.size * 2, LARGEST_LEASE) if is_fast else 1
        lease.taken_at = now
        count = max(lease.size, needed)
        lease.next = self._store.allocate(name, count)
        lease.stop = lease.next + count
