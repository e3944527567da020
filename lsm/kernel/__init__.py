"""The hot loops, in the fastest implementation that is installed. This package chooses it, nothing else does.

`lsm.kernel.interface` says what a kernel is. There are two, which read and write the same bytes:

- `plain` needs nothing but Python, is always there, and is the meaning that the other one has to have.
- `compiled` is a C extension (`lsm/kernel/native`), built with the package wherever there is a C compiler.

`LAYERDB_KERNEL=plain` or `compiled` in the environment asks for one of them, for tests and measurements.

Why C and not Cython: what costs time here is making `bytes` objects, following pointers and calling, and the C API says
each of these directly; nothing but a C compiler is needed to build it; no lock of the interpreter is relied on, which
has to be seen in each line.
"""

from __future__ import annotations

from functools import cache

from lsm.errors import InvalidArgumentError
from lsm.kernel import plain as _plain
from lsm.kernel.interface import Block, CacheEntry, Filter, Finder, Kernel, Levels, LookupLevel, LookupTable
from lsm.posix.variables import requested_kernel as _requested_kernel

try:
    from lsm.kernel import compiled as _compiled
except ImportError:
    _compiled = None  # type: ignore[assignment]  # built without a C compiler

__all__ = [
    "Block",
    "CacheEntry",
    "Filter",
    "Finder",
    "Kernel",
    "Levels",
    "LookupLevel",
    "LookupTable",
    "kernel",
    "kernel_name",
    "kernels",
]


def kernels() -> dict[str, Kernel]:
    """Return the kernels that are installed, by name, the fastest first."""
    found: dict[str, Kernel] = {} if _compiled is None else {"compiled": _compiled}
    return found | {"plain": _plain}


@cache
def kernel_name() -> str:
    """Return the name of the kernel in use: "compiled" or "plain".

    Raises `InvalidArgumentError` when `LAYERDB_KERNEL` asks for one that is not installed.
    """
    name = _requested_kernel() or next(iter(kernels()))
    if name not in kernels():
        raise InvalidArgumentError(f"LAYERDB_KERNEL={name}: the kernels installed here are {', '.join(kernels())}")
    return name


@cache
def kernel() -> Kernel:
    """Return the kernel in use."""
    return kernels()[kernel_name()]
