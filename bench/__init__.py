"""Benchmarks: LayerDB beside LevelDB and SQLite, measured in one run on one machine.

`python -m bench` compares the engines on keys and values; `python -m bench.documents` loads real documents into a table
with indexes. Each measurement runs in a fresh process, engines take turns, and the medians of the rounds are reported.
"""
