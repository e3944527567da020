"""The hot loops, in the fastest implementation that is installed. This package chooses it, nothing else does.

There is one so far, `lsm.kernel.plain`, which needs nothing but Python. `lsm.kernel.interface` says what a kernel is.
"""

from lsm.kernel import plain as _plain
from lsm.kernel.interface import Block, Filter, Kernel

__all__ = ["Block", "Filter", "Kernel", "kernel", "kernel_name"]


def kernel() -> Kernel:
    """Return the kernel in use."""
    return _plain


def kernel_name() -> str:
    """Return the name of the kernel in use: "plain"."""
    return "plain"
