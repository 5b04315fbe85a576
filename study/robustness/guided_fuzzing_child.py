"""Fuzz one parser with atheris: `python -m study.robustness.guided_fuzzing_child <parser> <libFuzzer's arguments>`."""

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["webapp", "audiofiles"]):
    from study.robustness.parser_targets import targets


def main() -> None:
    """Parse one input after another until libFuzzer ends this process, with status 0 if none is a failure."""
    name, *arguments = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        target = next(target for target in targets(Path(folder)) if target.name == name)

        def parse(content: bytes) -> None:
            with suppress(*target.allowed):
                target.parse(content)

        atheris.Setup([sys.argv[0], *arguments], parse)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
