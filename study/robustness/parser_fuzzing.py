"""Fuzz every parser of external data in process, with corrupted valid input.

A parser may reject its input with its documented exception. Any other exception, or more than MAX_CPU_SECONDS of CPU
time, is a failure, which is reported with the input.

Usage, in a copy of the project: `python -m study.robustness.parser_fuzzing <inputs> <seed>`. Prints the rows as JSON.
"""

import random
import sys
import tempfile
import time
import zlib
from pathlib import Path

from study.robustness.corruption import corrupt
from study.robustness.parser_targets import Target, targets
from study.robustness.results import Row, print_rows, row

MAX_CPU_SECONDS = 2.0  # for one input
MAX_SHOWN_BYTES = 2000


def main() -> None:
    nb_inputs, seed = map(int, sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        tested = targets(Path(folder))
        print_rows([_row(target, nb_inputs // len(tested), f"{seed} {target.name}") for target in tested])


def _row(target: Target, nb_inputs: int, seed: str) -> Row:
    """Try `nb_inputs` corrupted inputs. The same seed gives the same inputs."""
    rng = random.Random(zlib.crc32(seed.encode()))
    failures = []
    for content in (corrupt(rng, rng.choice(target.valid)) for _ in range(nb_inputs)):
        begin = time.process_time()
        try:
            target.parse(content)
        except target.allowed:
            pass
        except Exception as error:
            failures.append(_failure(f"{type(error).__name__}: {error}", content))
        if (seconds := time.process_time() - begin) > MAX_CPU_SECONDS:
            failures.append(_failure(f"took {seconds:.1f} s of CPU time", content))
    return row(target.name, nb_inputs, failures)


def _failure(error: str, content: bytes) -> dict[str, str]:
    return {"error": error, "input": repr(content[:MAX_SHOWN_BYTES])}


if __name__ == "__main__":
    main()
