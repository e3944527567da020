"""A recorded workload is cut off at each of its file-system calls, and what is left is opened and compared.

`ledger` knows what was promised, `workload` what is done, `explore` tries the crashes, `inspect` opens what is left and
compares. `python -m tests.crash` prints the totals.
"""
