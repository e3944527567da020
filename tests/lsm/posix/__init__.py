"""Tests of what is particular to the real operating system."""
