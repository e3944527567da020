"""Tests of the repair of damaged directories."""
