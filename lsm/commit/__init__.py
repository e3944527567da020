"""Commits: how changes of many threads become frames in the log and entries that readers see.

`request`: what one writer wants. `durability`: syncing. `rotation`: a fresh log and memtable. `unfinished`: what
happens after an exception in the middle. `validation`: transactions against what was committed meanwhile. `room`:
back-pressure. `pipeline`: the steps in their order.
"""
