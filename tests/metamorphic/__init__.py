"""The same random operations under many options and on several file systems: every read gives the same bytes.

`operations` draws them from a seed, `settings` are the ways to run them, `running` does so and collects the answers,
`reduction` makes a failing run small. `python -m tests.metamorphic SEED` runs one seed in every way; a difference is
reduced and printed as a script, which `python -m tests.metamorphic --script FILE` runs again.
"""
