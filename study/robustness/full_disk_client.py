"""A client that uploads and separates songs while the disk is full, and checks every response."""

import http.client
import io
import json
import struct
import time
import wave
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import soundfile

from study.benchmarks import serving
from study.robustness.results import Row, row

NB_SAMPLES = 8000
TIMEOUT_SECONDS = 60.0
WAITING_SECONDS = 8.0  # a job that has not ended after this time is taken to wait for disk space
PICTURE_BYTES = {"peaks": 16000, "spectrogram": 128000}
DISK_WORDS = ("disk", "space")  # an error message about the disk contains one of them
FORM = "application/x-www-form-urlencoded"


class Disk(Protocol):
    """A disk whose free space is controlled, see `full_disk.Disk`."""

    @property
    def folder(self) -> Path: ...
    def leave(self, nb_pages: int) -> None: ...
    def fill(self) -> None: ...
    def free(self) -> None: ...


class CheckFailed(Exception):
    """Something happened that must not happen on a full disk."""


class Client:
    """Sends songs to `server`, whose uploads and downloads are on `disk`."""

    def __init__(self, server: serving.Server, disk: Disk):
        self.server, self.disk = server, disk
        self.song = _song()
        self.worker = _child_pid(self.server.pid, b"webapp.worker.main")

    def row(self, name: str, free_pages: list[int]) -> Row:
        """Run a trial for each number of free pages, and count how they ended."""
        outcomes: Counter[str] = Counter()
        failures = []
        for nb_pages in free_pages:
            try:
                outcomes[self._try(nb_pages)] += 1
            except (CheckFailed, OSError, http.client.HTTPException) as error:
                failures.append({"free pages": nb_pages, "failure": f"{error!r}"})
        counts = ", ".join(f"{outcome} {count}" for outcome, count in outcomes.items())
        return row(f"{name}: {counts}", len(free_pages), failures)

    def _try(self, nb_pages: int) -> str:
        """Return the outcome of a song on the full disk. The next song, with free space again, must succeed."""
        self.disk.leave(nb_pages)
        try:
            outcome = self._process_song()
            self._delete_all()
        finally:
            self.disk.free()
        next_outcome = self._process_song()
        _expect(next_outcome in (COMPLETE, WITHOUT_PICTURES), f"with free space again: {next_outcome}")
        self._delete_all()
        _wait(lambda: not self._job_folders(), lambda: f"folders without an owner: {self._job_folders()}")
        _expect(_child_pid(self.server.pid, b"webapp.worker.main") == self.worker, "the worker has died")
        return outcome

    def _process_song(self) -> str:
        """Upload a song and have it separated. Returns the outcome."""
        status, uploaded = self._post("upload", *_multipart(self.song))
        if status != 201:
            return self._check_refusal("upload refused", status, uploaded)
        job = uploaded["job"]
        status, queued = self._post("separate", f"job={job}&model=starter".encode())
        if status != 202:
            return self._check_refusal("separation refused", status, queued)
        state = self._wait_for_end(job)
        if state["state"] in ("queued", "running"):
            self.disk.free()
            state = self._wait_for_end(job)
            _expect(state["state"] in ("done", "failed"), f"with free space again it remains {state['state']}")
            return "job waited"
        if state["state"] == "failed":
            _expect(any(word in state["error"] for word in DISK_WORDS), state["error"])
            return "separation failed"
        for stem in state["stems"]:
            self._check_stem(stem["url"])
        return self._check_pictures(job, ["mixture", *(stem["name"] for stem in state["stems"])])

    def _check_refusal(self, outcome: str, status: int, response: dict) -> str:
        is_disk_error = status == 503 and any(word in response["error"] for word in DISK_WORDS)
        _expect(is_disk_error, f"{status}: {response}")
        return outcome

    def _wait_for_end(self, job: str) -> dict:
        """Return the state of a job when it has ended, or after WAITING_SECONDS, because it may wait for space."""
        deadline = time.monotonic() + WAITING_SECONDS
        while True:
            status, state = self._request_json("GET", f"/cgi-bin/job.py?job={job}")
            _expect(status == 200, f"the job's page: {status} {state}")
            if state["state"] in ("done", "failed") or time.monotonic() > deadline:
                return state
            time.sleep(0.05)

    def _check_stem(self, url: str) -> None:
        status, content = self._request(url)
        _expect(status == 200, f"done, but {url} gets {status}")
        samples, _ = soundfile.read(io.BytesIO(content), always_2d=True)
        _expect(len(samples) == NB_SAMPLES, f"done, with {len(samples)} of {NB_SAMPLES} samples")

    def _check_pictures(self, job: str, names: list[str]) -> str:
        """Pictures may be missing, but not incomplete."""
        expected = [(f"/downloads/{job}/{name}.{kind}", size) for name in names for kind, size in PICTURE_BYTES.items()]
        for _ in range(2):  # a worker starts them after a moment
            time.sleep(0.2)
            _wait(lambda: not _child_pid(self.worker, b"webapp.worker.pictures"), lambda: "the pictures never end")
        missing = [url for url, size in expected if not self._is_complete(url, size)]
        return WITHOUT_PICTURES if missing else COMPLETE

    def _is_complete(self, url: str, size: int) -> bool:
        status, content = self._request(url)
        _expect((status, len(content)) in ((204, 0), (200, size)), f"{url}: {status}, {len(content)} bytes")
        return status == 200

    def _delete_all(self) -> None:
        """Delete all jobs, while the disk has no free page."""
        self.disk.fill()
        for job in self._job_folders():
            status, response = self._post("delete", f"job={job}".encode())
            _expect(status in (200, 404), f"deleting: {status} {response}")  # 404: the rest of a refused upload
            if status == 200:
                _wait(lambda job=job: self._is_gone(job), lambda: "a deleted job remains")  # type: ignore[misc]

    def _is_gone(self, job: str) -> bool:
        return self._request_json("GET", f"/cgi-bin/job.py?job={job}")[0] == 404

    def _job_folders(self) -> set[str]:
        folders = [*(self.disk.folder / "uploads").iterdir(), *(self.disk.folder / "downloads").iterdir()]
        return {folder.name for folder in folders if len(folder.name) == 32}

    def _post(self, script: str, body: bytes, content_type: str = FORM) -> tuple[int, dict]:
        return self._request_json("POST", f"/cgi-bin/{script}.py", body, content_type)

    def _request_json(self, method: str, path: str, body: bytes = b"", content_type: str = "") -> tuple[int, dict]:
        status, content = self._request(path, method, body, content_type)
        try:
            return status, json.loads(content)
        except ValueError:
            raise CheckFailed(f"{path}: {status} {content[:200]!r}") from None

    def _request(self, path: str, method: str = "GET", body: bytes = b"", content_type: str = "") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=TIMEOUT_SECONDS)
        connection.request(method, path, body, {"Accept": "application/json", "Content-Type": content_type})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        _expect(b"Traceback" not in content, f"{path}: a traceback")
        return response.status, content


COMPLETE, WITHOUT_PICTURES = "complete", "separated without pictures"  # outcomes of a song that was separated


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise CheckFailed(message)


def _wait(condition: Callable[[], bool], message: Callable[[], str]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        _expect(time.monotonic() < deadline, message())
        time.sleep(0.05)


def _child_pid(pid: int, word: bytes) -> int:
    """Return the id of the child of a process whose command line contains `word`, or 0 if there is none."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    for child in [int(number) for path in children for number in path.read_text().split()]:
        with suppress(OSError):
            if word in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
    return 0


def _song() -> bytes:
    """Return a WAV with a title, which is also written to the stems."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((2, 2, 44100, 0, "NONE", ""))
        file.writeframes(bytes((7 * number * number >> 3) % 251 for number in range(4 * NB_SAMPLES)))
    title = struct.pack("<4sI4s4sI", b"LIST", 18, b"INFO", b"INAM", 6) + b"title\0"
    song = content.getvalue() + title
    return song[:4] + struct.pack("<I", len(song) - 8) + song[8:]


def _multipart(song: bytes) -> tuple[bytes, str]:
    """Return the body and the content type of a form that uploads `song`."""
    return serving.HEAD + song + serving.TAIL, f"multipart/form-data; boundary={serving.BOUNDARY}"
