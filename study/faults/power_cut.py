"""What a power cut leaves of a folder: the names and the contents that were handed to fsync, and what else may be.

POSIX promises a file's content from its own fsync on, and a name from that of its folder on (fsync(2), Linux). What was
not handed over is missing here, or, in other variants, there already while what belongs to it is not.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Content = Callable[[bytes, bytes], bytes]


@dataclass(frozen=True)
class Worst:
    """A way in which it can be bad: whether names are those of now or those handed over, and what contents are."""

    words: str
    names_of_now: bool
    content: Content  # of what was handed over (nothing, if never) and what is there now


def _cut_off(durable: bytes, now: bytes) -> bytes:
    return now[: max(len(durable), len(now) // 2)]


WORST = (
    Worst("power cut", False, lambda durable, now: durable),
    Worst("power cut, names came first", True, lambda durable, now: durable),
    Worst("power cut, contents came first", False, lambda durable, now: now),
    Worst("power cut, contents came in part", True, _cut_off),
)


class Durable:
    """The folders `tops`, with all that lies there now on the disk for good."""

    def __init__(self, *tops: Path):
        # Held open by their inodes, so that the system gives no number to another file.
        self._held: dict[int, int] = {}
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._tops = {path: self._hold(os.open(path, os.O_RDONLY)) for path in tops}
        for top in tops:
            for path in (top, *top.rglob("*")):
                self._note(self._hold(os.open(path, os.O_RDONLY)))

    def synced(self, descriptor: int) -> None:
        """An open file, or folder, has been handed to fsync."""
        self._note(self._hold(os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY)))

    def cut(self, worst: Worst) -> None:
        """Build `<top>.cut` for each of the tops: what the power cut leaves."""
        for path, inode in self._tops.items():
            self._leave(inode, path.with_name(f"{path.name}.cut"), worst)

    def _leave(self, inode: int, target: Path, worst: Worst) -> None:
        target.mkdir()
        names = self._names_now(inode) if worst.names_of_now else self._names.get(inode, {})
        for name, child in names.items():
            if self._is_folder(child):
                self._leave(child, target / name, worst)
            else:
                content = worst.content(self._contents.get(child, b""), self._content_now(child))
                (target / name).write_bytes(content)

    def _note(self, inode: int) -> None:
        if self._is_folder(inode):
            self._names[inode] = self._names_now(inode)
        else:
            self._contents[inode] = self._content_now(inode)

    def _names_now(self, inode: int) -> dict[str, int]:
        folder = self._held[inode]
        return {name: self._hold(os.open(name, os.O_RDONLY, dir_fd=folder)) for name in os.listdir(folder)}  # noqa: PTH208 (of a descriptor)

    def _content_now(self, inode: int) -> bytes:
        return os.pread(self._held[inode], os.fstat(self._held[inode]).st_size, 0)

    def _is_folder(self, inode: int) -> bool:
        return stat.S_ISDIR(os.fstat(self._held[inode]).st_mode)

    def _hold(self, descriptor: int) -> int:
        inode = os.fstat(descriptor).st_ino
        if self._held.setdefault(inode, descriptor) != descriptor:
            os.close(descriptor)
        return inode
