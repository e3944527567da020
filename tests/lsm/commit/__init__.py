"""Tests of commits: the pipeline and each of its parts, on the simulated disk, with failures and exceptions planted."""
