"""Make every write of the web application to the disk fail once, and be once the moment of a kill -9 or a power cut.

After each fault a new worker runs and cleans up, and `crash_checks` says what must hold then.

Usage, in a copy of the project, whose uploads are replaced: `python -m study.robustness.crashes <every> [<pattern>]`.
Takes every `every`-th of the faults whose description matches the regular expression. Prints the rows as JSON. Linux
only.
"""

import itertools
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from study.robustness import crash_checks
from study.robustness.crash_operations import (
    LIMITS,
    OPERATIONS,
    OVERLAP_NOTE,
    VISITOR,
    WORK_ON_A_FULL_DISK,
    JobIds,
    Promises,
    run_worker,
    speed_up_worker,
)
from study.robustness.fault_injection import EXIT_STATUS, FAULTS, PROCESS_STARTED, Fault, FaultInjector
from study.robustness.results import Row, print_rows, row
from study.robustness.sample_song import UploadRequest
from webapp.cgi import upload
from webapp.errors import SeparatorError
from webapp.jobs import queue
from webapp.paths import DOWNLOADS, ROOT, UPLOADS
from webapp.worker import cleanup

FOLDERS = (UPLOADS, DOWNLOADS)
END = "end of the operation"  # the moment after the last write
NEED_DISK_SPACE = ("create", "mkdir", "link", "write", "fsync")

Operation = Callable[[JobIds], Promises]


def main() -> None:
    speed_up_worker()
    every, pattern = int(sys.argv[1]), re.compile("".join(sys.argv[2:]))
    before = _create_template()
    rows = [
        _row(name, operation, before, pattern, slice(number % every, None, every))
        for number, (name, operation) in enumerate(OPERATIONS.items())
    ]
    print_rows(rows)


def _row(name: str, operation: Operation, before: JobIds, pattern: re.Pattern[str], sample: slice) -> Row:
    writes = _in_child(lambda: {"writes": _writes(operation, before)})[1]["writes"]
    trials = list(_possible_faults(name, writes, pattern))[sample]
    found = [
        {"at": at, "fault": fault.name, "failures": failures}
        for number, at, fault in trials
        if (failures := _try(operation, before, number, fault))
    ]
    return row(f"{name} ({len(writes)} writes)", len(trials), found)


def _possible_faults(operation: str, writes: list[str], pattern: re.Pattern[str]) -> Iterator[tuple[int, str, Fault]]:
    """Yield the faults that each write can have and that match: the write's number and description, and the fault."""
    for (number, at), fault in itertools.product(enumerate([*writes, END], 1), FAULTS):
        if _is_possible(at, fault) and pattern.search(f"{operation}: {at}: {fault.name}"):
            yield number, at, fault


def _is_possible(at: str, fault: Fault) -> bool:
    if at == END:
        return fault.power_cut is not None
    if fault.name == "disk full":
        return at.startswith(NEED_DISK_SPACE)
    return not (fault.errno and at.startswith(PROCESS_STARTED))


def _create_template() -> JobIds:
    """Create a job in each state that lasts, and keep a copy of the folders for each trial."""
    for folder in FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    before = {state: upload.receive(UploadRequest(), VISITOR).id for state in ("done", "uploaded", "queued")}
    queue.enqueue(before["done"], "starter")
    _in_child(run_worker)
    queue.enqueue(before["queued"], "starter")
    for folder in FOLDERS:
        shutil.rmtree(f"{folder}.template", ignore_errors=True)
        shutil.copytree(folder, f"{folder}.template")
    return before


def _restore_template() -> None:
    for folder in FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(f"{folder}.template", folder)
        shutil.rmtree(f"{folder}.cut", ignore_errors=True)
    for note in ROOT.glob(f"{OVERLAP_NOTE.name}*"):
        note.unlink()


def _replace_by_cut() -> None:
    """Replace the folders by what the power cut left of them."""
    for folder in FOLDERS:
        shutil.rmtree(folder)
        Path(f"{folder}.cut").rename(folder)


def _writes(operation: Operation, before: JobIds) -> list[str]:
    """Return the writes of an operation to which nothing happens."""
    _restore_template()
    injector = FaultInjector(ROOT)
    injector.arm()
    operation(before)
    return injector.writes


def _try(operation: Operation, before: JobIds, at: int, fault: Fault) -> list[str]:
    """Return the failures after `fault` at write number `at` and after the run of a new worker."""
    _restore_template()
    status, result = _in_child(lambda: _run_with(FaultInjector(ROOT, at, fault, FOLDERS), operation, before))
    has_ended = status in (0, EXIT_STATUS)
    failures = [] if has_ended else [result.get("error", f"ended with status {status}")]
    if result.get("refused") and operation in WORK_ON_A_FULL_DISK and fault.name == "disk full":
        failures.append("does not work on a full disk, although it would free space")
    if fault.power_cut and has_ended:
        _replace_by_cut()
    status, recovery = _in_child(_recover)
    if status:
        failures.append(f"the next worker: {recovery.get('error', status)}")
    return failures + list(crash_checks.failures(before, result.get("promises", {})))


def _recover() -> None:
    run_worker()
    cleanup.clean_up(LIMITS)


def _run_with(injector: FaultInjector, operation: Operation, before: JobIds) -> dict[str, object]:
    injector.arm()
    try:
        promises = operation(before)
        if injector.fault and injector.fault.power_cut:
            injector.cut_power()
        return {"promises": promises}
    except (SeparatorError, OSError):  # the visitor gets a message, or the worker tries again
        return {"refused": True}


def _in_child(function: Callable[[], dict | None]) -> tuple[int, dict]:
    """Run `function` in a child process. Returns the exit status, and its result or its error."""
    reader, writer = os.pipe()
    if not (child := os.fork()):
        try:
            status, result = 0, function() or {}
        except BaseException as error:
            status, result = 1, {"error": f"{type(error).__name__}: {error}"}
        os.write(writer, json.dumps(result).encode())
        os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        result = json.loads(pipe.read() or b"{}")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), result


if __name__ == "__main__":
    main()
