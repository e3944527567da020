"""Bugs that other engines had, one named test each, which would fail if this engine had it.

A test runs its check on the engine as it is, then plants the twin of the bug and asserts that the same check fails: so
it proves on every run that it could see the bug. The numbers are those of the engines' public issue trackers.
"""
