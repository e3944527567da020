"""Real processes on real file systems: killed, cut off from power, out of space, refused by the system.

Each module has one lane for the soak (`python -m tests.real NAME`), and some of it as tests. What needs root, loop
devices or a tool is skipped elsewhere, and says so.
"""
