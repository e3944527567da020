"""Tests of the key encoding, one file a module, and the documented order they compare with."""
