"""Repair: what can still be read of a damaged directory goes into a new one; the old one is only read.

`survey` looks at every file. `order` decides, by pure functions, which tables and logs count, and which is newer.
`blocks` reads a table past its damaged blocks, `frames` the logs past their damaged frames. `target` writes the new
database. `job` puts them together and `report` says what was lost.
"""
