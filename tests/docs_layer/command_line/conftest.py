"""A terminal for the tests: runs a command in this process and keeps what it printed."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from docs_layer.command_line import main


class Printed(NamedTuple):
    """What one command left on the terminal."""

    status: int
    output: str
    errors: str

    @property
    def lines(self) -> list[str]:
        """The lines of standard output."""
        return self.output.splitlines()


Run = Callable[..., Printed]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `layerdb` with the given words, as a person would."""

    def call(*words: object) -> Printed:
        capsys.readouterr()
        status = main([str(word) for word in words])
        output, errors = capsys.readouterr()
        return Printed(status, output, errors)

    return call
