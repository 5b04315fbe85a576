"""A disk that is truly full, at each moment of a song's way: a real server, worker and separation over a small one.

`python -m study.faults.full_disk <every>` in a copy of the project; prints the rows as JSON. Linux only. The disk is
a tmpfs in a namespace of its own, where a ballast leaves so many pages free, from none to more than enough, every
`every`th number of them.
"""

import http.client
import io
import json
import os
import struct
import subprocess
import sys
import time
import wave
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import soundfile

from study import serving

PAGE = os.sysconf("SC_PAGE_SIZE")
DISK_PAGES = 1500
NB_SAMPLES = 8000
# A song with its stems takes up to 60 pages, and its pictures take 100 more, of which nothing but they depends.
FREE_PAGES = [*range(60), *range(60, 164, 8)]
INSIDE = "inside the namespace"
ANSWER_SECONDS = 60.0
PATIENCE_SECONDS = 8.0  # after which a song that does not come to its end waits for room
PICTURE_BYTES = {"peaks": 4000, "spectrogram": 128000}
ABOUT_THE_DISK = ("disk", "room")
# The server looks for room before it begins. Here another program takes it right afterwards.
LOOKS_IN_VAIN = {
    "webapp/room.py": "def check(nb_bytes): ...",
    "openunmix_models/separation.py": "def _check_room(folder, nb_bytes): ...",
}
QUICKLY = {
    "webapp/limits.py": "SPARE_DISK_BYTES = 0",
    "webapp/background/sweep.py": "INTERVAL_SECONDS, GRACE_SECONDS = 0.5, 2.0",
    "webapp/background/worker.py": "RETRY_SECONDS = 0.2",
}


def main() -> None:
    if INSIDE in sys.argv:
        print(json.dumps(list(_rows(int(sys.argv[1])))))
        return
    alone = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    if why := _cannot_mount(alone):
        print(json.dumps([{"what": f"not tried: {why}", "trials": 0, "found": []}]))
    else:
        subprocess.run([*alone, sys.executable, "-m", "study.faults.full_disk", *sys.argv[1:], INSIDE], check=True)


def _cannot_mount(alone: list[str]) -> str:
    """Why no small disk can be had in a namespace; empty if it can."""
    try:
        probe = subprocess.run(
            [*alone, "mount", "-t", "tmpfs", "tmpfs", "served"], capture_output=True, text=True, check=False
        )
    except OSError as error:
        return str(error)
    return (probe.stderr.strip() or "no mount") if probe.returncode else ""


def _rows(every: int) -> Iterator[dict]:
    home = Path("served").resolve()
    disk = _Disk(home / "disk")
    for name in ("uploads", "downloads"):
        (disk.folder / name).mkdir()
        (home / name).symlink_to(disk.folder / name)
    for name in serving.RUNNING:
        serving.copy_into(home, name)
    _change(home, QUICKLY)
    with serving.running(home, "--max-disk-percent=100", log=disk.folder / "log") as server:
        yield _Visitor(server, disk).row("the server sees it, and its log lies there", "wav", FREE_PAGES[::every])
    _change(home, LOOKS_IN_VAIN)
    for number, format_ in enumerate(("wav", "flac"), 1):
        with serving.running(home, "--max-disk-percent=100") as server:
            what = f"another program takes the room meanwhile, stems as {format_}"
            yield _Visitor(server, disk).row(what, format_, FREE_PAGES[number * every // 3 :: every])


def _change(home: Path, changes: dict[str, str]) -> None:
    """Put further lines at the end of files of the copy."""
    for name, line in changes.items():
        path = home / name
        path.write_text(f"{path.read_text()}\n{line}\n")


class _Disk:
    """A small disk, and a ballast on it."""

    def __init__(self, folder: Path):
        folder.mkdir()
        size = f"size={DISK_PAGES * PAGE}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
        self.folder = folder
        self._ballast = (folder / "ballast").open("wb", buffering=0)

    def leave(self, nb_pages: int) -> None:
        """Leave so many pages free, now that nobody writes."""
        self.free()
        nb_free = os.statvfs(self.folder).f_bavail
        os.posix_fallocate(self._ballast.fileno(), 0, (nb_free - nb_pages) * PAGE)

    def fill(self) -> None:
        """Leave nothing, whoever writes."""
        self._ballast.seek(0, os.SEEK_END)
        with suppress(OSError):
            while self._ballast.write(bytes(PAGE)):
                pass

    def free(self) -> None:
        """Leave more than enough."""
        self._ballast.truncate(0)


class Wrong(Exception):
    """What must not happen on a full disk."""


class _Visitor:
    """Somebody who sends songs while the disk is full."""

    def __init__(self, server: serving.Server, disk: _Disk):
        self.server, self.disk = server, disk
        self.song = _song()
        self.worker = _child(self.server.pid, b"webapp.background.worker")

    def row(self, what: str, format_: str, free_pages: list[int]) -> dict:
        """A trial for each number of free pages; how each ended."""
        ends, found = Counter(), []
        for nb_pages in free_pages:
            try:
                ends[self._try(nb_pages, format_)] += 1
            except (Wrong, OSError, http.client.HTTPException) as error:
                found.append({"free pages": nb_pages, "format": format_, "wrong": f"{error!r}"})
        told = ", ".join(f"{how} {count}" for how, count in ends.items())
        return {"what": f"{what}: {told}", "trials": len(free_pages), "found": found}

    def _try(self, nb_pages: int, format_: str) -> str:
        self.disk.leave(nb_pages)
        try:
            end = self._go(format_)
            self._delete_all()
        finally:
            self.disk.free()
        after = self._go(format_)
        _expect(after.startswith("made"), f"with room again: {after}")
        self._delete_all()
        _wait(lambda: not self._left(), lambda: f"nobody's: {self._left()}")
        _expect(_child(self.server.pid, b"webapp.background.worker") == self.worker, "the worker has died")
        return end

    def _go(self, format_: str) -> str:
        """Send a song and have it separated; how far it went."""
        status, sent = self._post("upload", *_form(self.song))
        if status != 201:
            return self._refused("the sending is refused", status, sent)
        job = sent["job"]
        status, told = self._post("separate", f"job={job}&model=starter&format={format_}".encode())
        if status != 202:
            return self._refused("the separation is refused", status, told)
        state = self._settled(job)
        if state["state"] in ("queued", "running"):
            self.disk.free()
            state = self._settled(job)
            _expect(state["state"] in ("done", "failed"), f"with room again it stays {state['state']}")
            return "waits for room"
        if state["state"] == "failed":
            _expect(any(word in state["error"] for word in ABOUT_THE_DISK), state["error"])
            return "the separation fails"
        for stem in state["stems"]:
            self._check_stem(stem["url"])
        return self._look_at_pictures(job, ["mixture", *(stem["name"] for stem in state["stems"])])

    def _refused(self, end: str, status: int, told: dict) -> str:
        _expect(status == 503 and any(word in told["error"] for word in ABOUT_THE_DISK), f"{status}: {told}")
        return end

    def _settled(self, job: str) -> dict:
        """A job's state at its end, or, since it may wait for room, after some time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            status, state = self._ask("GET", f"/cgi-bin/job.py?job={job}")
            _expect(status == 200, f"its page: {status} {state}")
            if state["state"] in ("done", "failed") or time.monotonic() > deadline:
                return state
            time.sleep(0.05)

    def _check_stem(self, url: str) -> None:
        status, content = self._fetch(url)
        _expect(status == 200, f"done, and {url} is answered {status}")
        samples, _ = soundfile.read(io.BytesIO(content), always_2d=True)
        _expect(len(samples) == NB_SAMPLES, f"done, with {len(samples)} samples of {NB_SAMPLES}")

    def _look_at_pictures(self, job: str, names: list[str]) -> str:
        """They may be missing, but never be spoilt."""
        wanted = [(f"/downloads/{job}/{name}.{kind}", size) for name in names for kind, size in PICTURE_BYTES.items()]
        for _ in range(2):  # a worker looks around after a moment
            time.sleep(0.2)
            _wait(lambda: not _child(self.worker, b"webapp.background.pictures"), lambda: "pictures have no end")
        missing = [url for url, size in wanted if not self._is_whole(url, size)]
        return "made without pictures" if missing else "made whole"

    def _is_whole(self, url: str, size: int) -> bool:
        status, content = self._fetch(url)
        _expect((status, len(content)) in ((204, 0), (200, size)), f"{url}: {status}, {len(content)} bytes")
        return status == 200

    def _delete_all(self) -> None:
        self.disk.fill()
        for folder in self._left():
            status, told = self._post("delete", f"job={folder}".encode())
            _expect(status in (200, 404), f"deleting: {status} {told}")  # 404: what a refused sending left
            if status == 200:
                _wait(lambda job=folder: self._ask("GET", f"/cgi-bin/job.py?job={job}")[0] == 404, lambda: "stays")

    def _left(self) -> set[str]:
        folders = [*(self.disk.folder / "uploads").iterdir(), *(self.disk.folder / "downloads").iterdir()]
        return {folder.name for folder in folders if len(folder.name) == 32}

    def _post(self, script: str, body: bytes, kind: str = "application/x-www-form-urlencoded") -> tuple[int, dict]:
        return self._ask("POST", f"/cgi-bin/{script}.py", body, kind)

    def _ask(self, method: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, dict]:
        status, content = self._fetch(path, method, body, kind)
        try:
            return status, json.loads(content)
        except ValueError:
            raise Wrong(f"{path}: {status} {content[:200]!r}") from None

    def _fetch(self, path: str, method: str = "GET", body: bytes = b"", kind: str = "") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=ANSWER_SECONDS)
        connection.request(method, path, body, {"Accept": "application/json", "Content-Type": kind})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        _expect(b"Traceback" not in content, f"{path}: a traceback")
        return answer.status, content


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Wrong(otherwise)


def _wait(until: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while not until():
        _expect(time.monotonic() < deadline, otherwise())
        time.sleep(0.05)


def _child(pid: int, word: bytes) -> int:
    """The child of a process with this word in its command; 0 if there is none."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    pids = [int(pid) for path in children for pid in path.read_text().split()]
    for pid in pids:
        with suppress(OSError):
            if word in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    return 0


def _song() -> bytes:
    """A WAV with a title, so that the stems get one too."""
    content = io.BytesIO()
    with wave.open(content, "wb") as song:
        song.setparams((2, 2, 44100, 0, "NONE", ""))
        song.writeframes(bytes((7 * number * number >> 3) % 251 for number in range(4 * NB_SAMPLES)))
    title = struct.pack("<4sI4s4sI", b"LIST", 18, b"INFO", b"INAM", 6) + b"title\0"
    song = content.getvalue() + title
    return song[:4] + struct.pack("<I", len(song) - 8) + song[8:]


def _form(song: bytes) -> tuple[bytes, str]:
    return serving.HEAD + song + serving.TAIL, f"multipart/form-data; boundary={serving.BOUNDARY}"


if __name__ == "__main__":
    main()
