"""Tests of the command line, most of them through its `main`, as a person would call it."""
