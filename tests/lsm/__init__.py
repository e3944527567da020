"""Tests of `lsm`; each file is named after the module it tests."""
