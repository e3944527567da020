"""Workloads that are cut off at each of their file-system calls, or whose calls fail, with the kit of `lsm.testing`.

`python -m tests.crash` runs all of it and prints the totals.
"""
