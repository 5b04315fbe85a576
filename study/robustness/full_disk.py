"""Run the server, the worker and a separation on a disk that becomes full at each stage of a job.

The disk is a small tmpfs in its own mount namespace. A filler file leaves a given number of pages free, from none to
more than enough; every `every`-th number is tried.

Usage, in a copy of the project: `python -m study.robustness.full_disk <every>`. Prints the rows as JSON. Linux only.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from study.benchmarks import serving
from study.robustness.full_disk_client import Client
from study.robustness.results import Row, print_rows, row

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
DISK_PAGES = 1500
# A song with its stems takes up to 60 pages. Its pictures take 100 more, and nothing else depends on them.
FREE_PAGES = [*range(60), *range(60, 164, 8)]
IN_NAMESPACE = "--in-namespace"
# The server checks for free space before it begins. Without the checks, the disk becomes full afterwards, as it does
# when another program fills it.
WITHOUT_CHECKS = {
    "webapp/jobs/disk_space.py": "def check(nb_bytes): ...",
    "openunmix_models/separation.py": "def _check_disk_space(folder, nb_bytes): ...",
}
LIMITS: dict[str, float] = {
    "spare_disk_bytes": 0,
    "cleanup_seconds": 0.5,
    "cleanup_grace_seconds": 2.0,
    "retry_seconds": 0.2,
}


def main() -> None:
    if IN_NAMESPACE in sys.argv:
        print_rows(list(_rows(int(sys.argv[1]))))
        return
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    if reason := _mount_error(unshare):
        print_rows([row(f"not tried: {reason}", 0, [])])
    else:
        module = [sys.executable, "-m", "study.robustness.full_disk"]
        subprocess.run([*unshare, *module, *sys.argv[1:], IN_NAMESPACE], check=True)


def _mount_error(unshare: list[str]) -> str:
    """Return why a tmpfs cannot be mounted in a namespace, or an empty string if it can."""
    try:
        probe = subprocess.run(
            [*unshare, "mount", "-t", "tmpfs", "tmpfs", "served"], capture_output=True, text=True, check=False
        )
    except OSError as error:
        return str(error)
    return (probe.stderr.strip() or "mount failed") if probe.returncode else ""


def _rows(every: int) -> Iterator[Row]:
    home = Path("served").resolve()
    disk = Disk(home / "disk")
    for name in ("uploads", "downloads"):
        (disk.folder / name).mkdir()
        (home / name).symlink_to(disk.folder / name)
    for name in serving.SERVER_FILES:
        serving.copy_into(home, name)
    with serving.run_server(home, "--max-disk-percent=100", log=disk.folder / "log", limits=LIMITS) as server:
        yield Client(server, disk).row("the server sees the full disk and logs to it", FREE_PAGES[::every])
    _append(home, WITHOUT_CHECKS)
    with serving.run_server(home, "--max-disk-percent=100", limits=LIMITS) as server:
        name = "another program fills the disk meanwhile"
        yield Client(server, disk).row(name, FREE_PAGES[every // 3 :: every])


def _append(home: Path, lines: dict[str, str]) -> None:
    """Append a line to each of these files of the copy."""
    for name, line in lines.items():
        path = home / name
        path.write_text(f"{path.read_text()}\n{line}\n")


class Disk:
    """A small tmpfs, and a filler file on it."""

    def __init__(self, folder: Path):
        folder.mkdir()
        size = f"size={DISK_PAGES * PAGE_BYTES}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
        self.folder = folder
        self._filler = (folder / "filler").open("wb", buffering=0)

    def leave(self, nb_pages: int) -> None:
        """Leave this number of pages free. Nothing else may write at the same time."""
        self.free()
        nb_free = os.statvfs(self.folder).f_bavail
        os.posix_fallocate(self._filler.fileno(), 0, (nb_free - nb_pages) * PAGE_BYTES)

    def fill(self) -> None:
        """Leave no free page, even if others write at the same time."""
        self._filler.seek(0, os.SEEK_END)
        with suppress(OSError):
            while self._filler.write(bytes(PAGE_BYTES)):
                pass

    def free(self) -> None:
        """Leave more than enough space."""
        self._filler.truncate(0)


if __name__ == "__main__":
    main()
