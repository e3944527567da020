"""Tests of the crash test with real processes: that it passes, and that it notices what it is there for."""
