"""Tests of `docs_layer`; each file is named after the module it tests."""
