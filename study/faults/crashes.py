"""Every change that the web side makes on the disk, made to fail once, and once the moment of a kill -9 or power cut.

`python -m study.faults.crashes <every> [<pattern>]` in a copy of the project, whose uploads it replaces again and
again; takes every `every`th fault of those whose words the pattern finds, and prints the rows as JSON. After each
fault a new worker cleans up, and what must hold is checked.
"""

import contextlib
import errno
import io
import itertools
import json
import logging
import os
import re
import shutil
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from study.faults.hazard import EXIT_STATUS, STARTED, Hazard
from study.faults.power_cut import WORST
from webapp import catalogue, jobs, locks, queue, songs, uploads
from webapp.background import pictures, sweep, worker
from webapp.folders import DOWNLOADS, ROOT, UPLOADS
from webapp.metadata import tagging
from webapp.refusal import Refusal

DEEDS = {0: "kill -9", errno.ENOSPC: "disk full", errno.EROFS: "read-only", errno.EIO: "I/O error"}
DEEDS |= {-number: worst.words for number, worst in enumerate(WORST, 1)}
BOUNDARY = "a-boundary-of-the-study"
SAMPLES = bytes(range(256)) * 16
TITLE = struct.pack("<4sI4s4sI", b"LIST", 18, b"INFO", b"INAM", 6) + b"title\0"
SONG = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 0, b"WAVE", b"fmt ", 16, 1, 2, 44100, 176400, 4, 16)
SONG += struct.pack("<4sI", b"data", len(SAMPLES)) + SAMPLES + TITLE
SONG = SONG[:4] + struct.pack("<I", len(SONG) - 8) + SONG[8:]
STEM_LENGTH = len(SONG)
PICTURE_LENGTHS = {"peaks": 4000, "spectrogram": 128000}
NOTES = ROOT / "engine.notes"
SETTLED_SECONDS = 10.0
VISITOR = "a" * 64


class Upload:
    """A request that sends a file of this `content`, as `uploads.take_in` wants it; `body` is what it sends."""

    address = "127.0.0.1"
    content_type = f"multipart/form-data; boundary={BOUNDARY}"

    def __init__(self, content: bytes = SONG):
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="filename"; filename="a.wav"\r\n\r\n'
        self.body = head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
        self.content_length = len(self.body)
        self._unread = io.BytesIO(self.body)

    def read(self) -> bytes:
        return self._unread.read(1000)


# What is done under a fault: each takes the jobs that were there before, and says what it promised.


def _send(before: dict) -> dict:
    return {uploads.take_in(Upload(), VISITOR).id: "uploaded"}


def _separate(before: dict) -> dict:
    return {queue.enqueue(before["uploaded"], "starter").id: "done"}


def _separate_again(before: dict) -> dict:
    return {songs.separate_again(before["done"], VISITOR, "", "starter", "", "").id: "done"}


def _delete_uploaded(before: dict) -> dict:
    return {jobs.delete(before["uploaded"]).id: "gone"}


def _delete_waiting(before: dict) -> dict:
    return {jobs.delete(before["queued"]).id: "gone"}


def _delete_done(before: dict) -> dict:
    return {jobs.delete(before["done"]).id: "gone"}


def _work(before: dict) -> dict:
    _run_worker()
    return {before["queued"]: "done"}


def _sweep(before: dict) -> dict:
    long_ago = time.time() - 1e6
    for path in (UPLOADS / before["done"] / "state.json", DOWNLOADS / before["done"]):
        os.utime(path, (long_ago, long_ago))
    sweep.sweep(1e5)
    return {before["done"]: "gone"}


def _tag(before: dict) -> dict:
    job = jobs.load(before["done"])
    tagging.carry_over(job.source, job.stems(), "song")
    return {}


def _draw(before: dict) -> dict:
    pictures.draw(before["done"])
    return {}


DOINGS: dict[str, Callable[[dict], dict]] = {
    "a song is sent": _send,
    "a song is put in the queue": _separate,
    "a song is separated again": _separate_again,
    "an uploaded song is deleted": _delete_uploaded,
    "a waiting song is deleted": _delete_waiting,
    "a separated song is deleted": _delete_done,
    "the worker takes, runs and settles a song": _work,
    "the clean-up": _sweep,
    "the stems get the song's tags": _tag,
    "the pictures are drawn": _draw,
}
THE_END = "all is promised"
TAKES_ROOM = ("create", "mkdir", "link", "write", "fsync")
NEED_NO_ROOM = (_delete_uploaded, _delete_waiting, _delete_done, _sweep)


def main() -> None:
    _prepare()
    every, wanted = int(sys.argv[1]), re.compile("".join(sys.argv[2:]))
    before = _template()
    rows = []
    for name, doing in DOINGS.items():
        seen = _in_child(lambda doing=doing: _changes(doing, before))[1]
        faults = list(_faults(name, seen["changes"], wanted))[len(rows) % every :: every]
        found = [
            {"at": at, "deed": DEEDS[deed], "wrong": wrong}
            for number, at, deed in faults
            if (wrong := _try(doing, before, number, deed))
        ]
        what = f"{name} ({len(seen['changes'])} changes on the disk)"
        rows.append({"what": what, "trials": len(faults), "found": found})
    print(json.dumps(rows))


def _faults(doing: str, changes: list[str], wanted: re.Pattern) -> Iterator[tuple[int, str, int]]:
    """The faults that can be at each change, and are wanted: its number, its words, the deed."""
    for (number, at), deed in itertools.product(enumerate([*changes, THE_END], 1), DEEDS):
        possible = at.startswith(TAKES_ROOM) if deed == errno.ENOSPC else not (deed > 0 and at.startswith(STARTED))
        possible = deed < 0 if at == THE_END else possible
        if possible and wanted.search(f"{doing}: {at}: {DEEDS[deed]}"):
            yield number, at, deed


def _prepare() -> None:
    """Let everything take moments that takes minutes, and let the double separate."""
    logging.disable()
    worker.POLL_SECONDS = worker.RETRY_SECONDS = catalogue.RESCAN_SECONDS = 0.005
    sweep.GRACE_SECONDS = -1.0
    worker.Painter = _NoPainter
    jobs.Job.command = _command


class _NoPainter:
    """Pictures have a doing of their own, since they take longer than all the rest."""

    def look(self, everyone: object) -> None: ...
    def step(self) -> None: ...
    def end(self) -> None: ...


def _command(job: jobs.Job) -> list[str]:
    stems = [job.outdir / path for path in job.separator().files(job.model, job.stems_wanted, job.format).values()]
    engine = Path(__file__).with_name("crash_engine.py")
    return [sys.executable, "-I", "-S", *map(str, (engine, os.getpid(), job.source, f"{NOTES}.{job.id}", *stems))]


def _template() -> dict:
    """One job in each state that rests, kept beside for every fault; the jobs by their states."""
    _empty(UPLOADS, DOWNLOADS)
    before = {state: uploads.take_in(Upload(), VISITOR).id for state in ("done", "uploaded", "queued")}
    queue.enqueue(before["done"], "starter")
    _in_child(lambda: _run_worker() or {})
    queue.enqueue(before["queued"], "starter")
    for folder in (UPLOADS, DOWNLOADS):
        shutil.rmtree(f"{folder}.template", ignore_errors=True)
        shutil.copytree(folder, f"{folder}.template")
    return before


def _empty(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()


def _fresh() -> None:
    for folder in (UPLOADS, DOWNLOADS):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(f"{folder}.template", folder)
        shutil.rmtree(f"{folder}.cut", ignore_errors=True)
    for note in ROOT.glob("engine.notes*"):
        note.unlink()


def _after_power_cut() -> None:
    for folder in (UPLOADS, DOWNLOADS):
        shutil.rmtree(folder)
        Path(f"{folder}.cut").rename(folder)


def _changes(doing: Callable, before: dict) -> dict:
    """The changes that `doing` makes when nothing goes wrong."""
    _fresh()
    hazard = Hazard(ROOT)
    hazard.arm()
    doing(before)
    return {"changes": hazard.seen}


def _try(doing: Callable, before: dict, at: int, deed: int) -> list[str]:
    """What is wrong after the fault `deed` at the change number `at`, in words."""
    _fresh()
    status, told = _in_child(lambda: _under(Hazard(ROOT, at, deed, (UPLOADS, DOWNLOADS)), doing, before))
    wrong = [] if status in (0, EXIT_STATUS) else [told.get("error", f"ended with {status}")]
    if told.get("refused") and doing in NEED_NO_ROOM and deed == errno.ENOSPC:
        wrong.append("does not work when the disk is full, which it would help")
    if deed < 0 and status in (0, EXIT_STATUS):
        _after_power_cut()
    status, recovered = _in_child(lambda: _run_worker() or sweep.sweep(1e5) or {})
    if status:
        wrong.append(f"the next worker: {recovered.get('error', status)}")
    return wrong + list(_wrongs(before, told.get("promised", {})))


def _under(hazard: Hazard, doing: Callable, before: dict) -> dict:
    hazard.arm()
    try:
        promised = doing(before)
        if hazard.deed < 0:
            hazard.lose_power()
        return {"promised": promised}
    except (Refusal, OSError):  # told to the visitor, or tried again
        return {"refused": True}


def _run_worker() -> None:
    """Run the queue until nothing is left to do; the worker must not break off. Raises AssertionError."""
    stop = threading.Event()
    runner = worker.Worker(1)
    deadline = time.monotonic() + SETTLED_SECONDS
    step = runner._step

    def watched() -> None:
        step()
        if not runner.running and not _unsettled():
            stop.set()
        if time.monotonic() > deadline:
            raise AssertionError(f"not settled: {_unsettled()}")

    runner._step = watched
    lock = locks.acquire(UPLOADS / ".worker")
    try:
        runner.run(stop)
    finally:
        os.close(lock)


def _unsettled() -> list[str]:
    return [job.state for job in catalogue.everyone() if job.state in ("queued", "running", "cancelled")]


def _wrongs(before: dict, promised: dict) -> Iterator[str]:
    """What must hold after any fault, and does not."""
    for job_id, state in ({before[state]: state for state in ("uploaded", "done")} | promised).items():
        yield from _job_wrongs(job_id, promised.get(job_id, state), job_id in promised)
    for folder in UPLOADS.iterdir():
        if folder.is_dir() and not _state(folder.name):
            yield f"nobody's: {sorted(path.name for path in folder.iterdir())} in uploads"
    yield from ("nobody's folder in downloads" for folder in DOWNLOADS.iterdir() if not _state(folder.name))
    yield from ("a job ran twice at once" for notes in ROOT.glob("engine.notes.*") if notes.suffix != ".lock")


def _job_wrongs(job_id: str, state: str, is_promised: bool) -> Iterator[str]:
    now = _state(job_id)
    if state == "gone":
        if now:
            yield f"deleted, and is still {now}"
        return
    if not now:
        if is_promised:
            yield f"acknowledged as {state}, and is gone"
        return
    job = jobs.load(job_id)
    if not job.source.is_file() or job.source.read_bytes() != SONG:
        yield "its source is gone, or another"
    if job.state == "failed" and not job.error:
        yield "failed, and does not say why"
    if job.state in ("queued", "running", "cancelled"):
        yield f"stays {job.state}"
    for path in job.stems().values():
        if not path.is_file() or path.stat().st_size < STEM_LENGTH:
            yield f"done without {path.name}"
    for kind, length in PICTURE_LENGTHS.items():
        spoilt = [path.name for path in job.outdir.glob(f"*.{kind}") if path.stat().st_size != length]
        yield from (f"{name} is spoilt" for name in spoilt)


def _state(job_id: str) -> str:
    with contextlib.suppress(Refusal):
        return jobs.load(job_id).state
    return ""


def _in_child(doing: Callable[[], dict]) -> tuple[int, dict]:
    """Run `doing` in a process of its own; its exit status, and what it returned, or its error."""
    reader, writer = os.pipe()
    if not (child := os.fork()):
        try:
            status, told = 0, doing()
        except BaseException as error:
            status, told = 1, {"error": f"{type(error).__name__}: {error}"}
        os.write(writer, json.dumps(told).encode())
        os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        told = json.loads(answer.read() or b"{}")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), told


if __name__ == "__main__":
    main()
