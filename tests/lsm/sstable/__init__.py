"""Tests of the tables: writer, reader, scans, frames, indexes, properties and the complete check."""
