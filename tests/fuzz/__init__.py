"""Fuzzing: any bytes given to any parser end in a value or in an error of our own tree, in bounded time and memory.

`targets` lists what is fuzzed: a function of bytes, valid seeds, and how to give changed bytes right checksums again,
so that what lies behind a checksum is reached (`seals`). `limits` runs one input and raises when a promise is broken.
`mutating` changes inputs without a fuzzing engine. `corpus/` holds inputs that once found something, or that reach
much; every run of the tests replays them. `python -m tests.fuzz --minutes 10` fuzzes with atheris, where it is there.
"""
