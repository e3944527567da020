"""Tests of the demo: its data, its voice, and the whole story once."""
