"""Tests of the parts of the memory store that the contract does not show: forgetting, interruption, deferred order."""
