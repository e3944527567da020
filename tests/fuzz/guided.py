"""`python -m tests.fuzz.guided TARGET SEED SECONDS FINDINGS`: one target, guided by coverage, with atheris.

The engine keeps what reaches new code in a directory of its own, which begins with the seeds and the corpus. The
mutator is its own or ours; half of the inputs are given right checksums again. A finding ends the process; the engine
has written the input into FINDINGS then.

Both packages are instrumented while they are imported, so nothing here may import them at the top.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

_MEASURED = 64
"""One in so many inputs is measured; the others are only run."""
_SECONDS_EACH = 20
_LONGEST_BYTES = 4096


def main(name: str, seed: int, seconds: int, findings: Path) -> None:
    """Fuzz one target; does not come back. Raises `ImportError` where there is no atheris."""
    import atheris  # noqa: PLC0415 - most Pythons have none

    with atheris.instrument_imports(include=["lsm", "docs_layer"]):
        from tests.fuzz.limits import measured, outcome  # noqa: PLC0415 - see above
        from tests.fuzz.mutation import mutated  # noqa: PLC0415
        from tests.fuzz.targets import TARGETS, inputs  # noqa: PLC0415

    target = TARGETS[name]
    known = inputs(target)
    count = 0

    def run_one(data: bytes) -> None:
        nonlocal count
        count += 1
        if count % _MEASURED:
            outcome(target.parse, data)
        else:
            measured(target.parse, data, target.limits)

    def mutate(data: bytes, longest: int, mutator_seed: int) -> bytes:
        chance = random.Random(mutator_seed)
        changed = atheris.Mutate(data, longest) if chance.random() < 0.5 else mutated(data, chance, known)
        return (target.sealed(changed) if chance.random() < 0.5 else changed)[:longest]

    with tempfile.TemporaryDirectory() as directory:
        for number, data in enumerate(known):
            (Path(directory) / str(number)).write_bytes(data)
        words = ["fuzz", f"-seed={seed % (1 << 31) or 1}", f"-max_total_time={max(seconds, 1)}", "-print_final_stats=1"]
        words += [f"-timeout={_SECONDS_EACH}", f"-max_len={_LONGEST_BYTES}", "-rss_limit_mb=2048"]
        atheris.Setup([*words, f"-artifact_prefix={findings}/{name}-", directory], run_one, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
