"""The fake model commands: `list` and `warm` of the real ones, with the weights and the network that a test sets.

models.json says which published models are on the disk and whether the others can be fetched; warm.log gets a line for
each model that is loaded ahead of time.
"""

import io
import json
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

from openunmix_models.__main__ import main as real_command

HOME = Path(__file__).resolve().parent.parent


def main() -> None:
    settings = json.loads((HOME / "models.json").read_text())
    if sys.argv[1] == "list":
        _list(settings)
    else:
        time.sleep(settings["warm_seconds"])
        with (HOME / "warm.log").open("a") as log:
            log.write(json.dumps(sys.argv[2:]) + "\n")


def _list(settings: dict) -> None:
    output = io.StringIO()
    with redirect_stdout(output):
        real_command(["list", "--json"])
    models = json.loads(output.getvalue())
    for model in models:
        if model["name"] in settings["on_disk"]:
            model |= {"on_disk": True, "bytes_to_fetch": 0, "missing": {}}
        if "--check-reachable" in sys.argv:
            model["reachable"] = settings["reachable"] if model["missing"] else None
    if "--check-reachable" in sys.argv:
        with (HOME / "checks.log").open("a") as log:
            log.write("check\n")
        time.sleep(settings["check_seconds"])
    print(json.dumps(models))


if __name__ == "__main__":
    main()
