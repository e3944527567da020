"""Tests of the simulated disk, the faults and the simulated environment."""
