"""What static checkers must accept and refuse; see `test_checkers`."""
