"""A handle whose process was killed: it is dropped as it is, without closing and without a word."""

from lsm.testing import abandon

__all__ = ["abandon"]
