"""Bytes on disk: golden files, flipped bytes and truncations of each format."""
