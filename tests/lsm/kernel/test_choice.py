"""Which kernel is used: the fastest that is installed, or the one that the environment asks for."""

import os
import subprocess
import sys

import pytest

from lsm.kernel import kernels


def named(request: str | None) -> subprocess.CompletedProcess[str]:
    """Ask a fresh process for the name of its kernel."""
    variables = {name: value for name, value in os.environ.items() if name != "LAYERDB_KERNEL"}
    if request is not None:
        variables["LAYERDB_KERNEL"] = request
    program = "import lsm; print(lsm.kernel_name())"
    return subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("request_or_none", [*kernels(), None])
def test_the_environment_chooses_among_the_installed_kernels(request_or_none: str | None) -> None:
    """Each is had by its name, and without a wish the first."""
    assert named(request_or_none).stdout.strip() == (request_or_none or next(iter(kernels())))


def test_a_kernel_that_is_not_there_is_refused_by_name() -> None:
    """The message says what was asked for and what there is."""
    process = named("quantum")

    assert process.returncode != 0
    assert "InvalidArgumentError: LAYERDB_KERNEL=quantum: the kernels installed here are" in process.stderr
