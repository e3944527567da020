"""Planted defects: the crash tests are worth what they find, so each defect here is shown to be found.

`python -m tests.defects` lists the defects, `python -m tests.defects NAME` plants one and prints the failure it causes,
`python -m tests.defects --all` does it with each, and `--matrix` tries each with every class of fault. A defect is a
patch of one function, made for one search; the engine has no switches.

`defect` says what a defect is, `planted_*` have them, `fault_class` says what a class of fault is, `*_faults` try the
cases of each, `catalogue` and `fault_classes` list them all.
"""
