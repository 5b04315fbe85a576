"""Fuzz every parser of external data with inputs that reach code which no input has reached before.

atheris (libFuzzer for Python) finds such inputs by measuring coverage. They are kept in corpus.json, so that each run
starts where the last one ended.

Usage, in a copy of the project: `python -m study.robustness.guided_fuzzing <seconds> [<corpus>]`. Each parser is fuzzed
for <seconds>. Prints the rows as JSON. With <corpus>, the inputs that are worth keeping are written to that file.
"""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from study.robustness.parser_targets import Target, targets
from study.robustness.results import Row, print_rows, row

CORPUS = Path(__file__).with_name("corpus.json")
MAX_INPUT_BYTES = 1 << 12
MAX_KEPT_BYTES = 1 << 9  # of one input; what the longer ones reach is soon found again
MAX_SECONDS = 5  # for one input
MAX_SHOWN_CHARACTERS = 2000
NB_EXECUTED = re.compile(r"stat::number_of_executed_units: (\d+)")


def main() -> None:
    seconds = float(sys.argv[1])
    if find_spec("atheris") is None:
        print_rows([row("not tried, since atheris is not installed (see tests/requirements.txt)", 0, [])])
        return
    corpus = json.loads(CORPUS.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as threads:
        tested = targets(Path(folder))
        fuzzing = [_Fuzzing(target, Path(folder, f"{number}"), corpus) for number, target in enumerate(tested)]
        rows = list(threads.map(lambda one: one.run(seconds), fuzzing))
        if len(sys.argv) > 2:
            kept = {one.target.name: one.kept() for one in fuzzing}
            Path(sys.argv[2]).write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    print_rows(rows)


class _Fuzzing:
    """One parser, and the folder of its inputs. `corpus`: the names of the parsers → inputs, as base64."""

    def __init__(self, target: Target, folder: Path, corpus: dict[str, list[str]]):
        self.target, self.folder = target, folder
        (folder / "inputs").mkdir(parents=True)
        inputs = [*target.valid, *map(base64.b64decode, corpus.get(target.name, []))]
        for number, content in enumerate(inputs):
            (folder / "inputs" / f"{number}").write_bytes(content)

    def run(self, seconds: float) -> Row:
        """Fuzz the parser. The row has the number of inputs, and the output of the parser's process if it failed."""
        command = [sys.executable, "-m", "study.robustness.guided_fuzzing_child", self.target.name, "inputs"]
        command += [f"-max_total_time={seconds:.0f}", f"-max_len={MAX_INPUT_BYTES}", f"-timeout={MAX_SECONDS}"]
        completed = subprocess.run(
            [*command, "-print_final_stats=1"],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(Path.cwd())},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output = completed.stdout.decode(errors="replace")
        found = NB_EXECUTED.search(output)
        failures = [output[-MAX_SHOWN_CHARACTERS:]] if completed.returncode else []
        return row(self.target.name, int(found[1]) if found else 0, failures)

    def kept(self) -> list[str]:
        """The inputs that reach code which no other input reached before them."""
        inputs = {path.read_bytes() for path in (self.folder / "inputs").iterdir()} - {*self.target.valid}
        return sorted(base64.b64encode(content).decode() for content in inputs if len(content) <= MAX_KEPT_BYTES)


if __name__ == "__main__":
    main()
