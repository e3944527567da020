"""Tests of the kernels: each test runs on every kernel that is installed."""
