"""Simulate what a power cut leaves in a folder, from the files and folders that were passed to fsync.

POSIX guarantees a file's content after its own fsync, and a file's name after the fsync of its folder (fsync(2)).
Anything else may or may not have reached the disk. Each PowerCut is one of these possibilities.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PowerCut:
    """One possible state of the disk after a power cut.

    `keeps_current_names` says whether a folder has its current names or those of its last fsync. `content` computes a
    file's content from that of its last fsync (empty if there was none) and its current content.
    """

    name: str
    keeps_current_names: bool
    content: Callable[[bytes, bytes], bytes]


def _truncated(synced: bytes, current: bytes) -> bytes:
    return current[: max(len(synced), len(current) // 2)]


POWER_CUTS = (
    PowerCut("power cut", False, lambda synced, current: synced),
    PowerCut("power cut, names written first", True, lambda synced, current: synced),
    PowerCut("power cut, contents written first", False, lambda synced, current: current),
    PowerCut("power cut, contents written in part", True, _truncated),
)


class SyncedState:
    """The names and contents in `folders` that are on the disk: those at the beginning, and what is synced later."""

    def __init__(self, *folders: Path):
        # One open descriptor for each inode keeps the system from reusing its number for another file.
        self._descriptors: dict[int, int] = {}
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._roots = {path: self._keep(os.open(path, os.O_RDONLY)) for path in folders}
        for folder in folders:
            for path in (folder, *folder.rglob("*")):
                self._record(self._keep(os.open(path, os.O_RDONLY)))

    def sync(self, descriptor: int) -> None:
        """Record the file or folder that is open as `descriptor`, which was passed to fsync."""
        self._record(self._keep(os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY)))

    def write_cut(self, cut: PowerCut) -> None:
        """Write what the power cut leaves of each folder to `<folder>.cut`."""
        for path, inode in self._roots.items():
            self._write_folder(inode, path.with_name(f"{path.name}.cut"), cut)

    def _write_folder(self, inode: int, target: Path, cut: PowerCut) -> None:
        target.mkdir()
        names = self._current_names(inode) if cut.keeps_current_names else self._names.get(inode, {})
        for name, child in names.items():
            if self._is_folder(child):
                self._write_folder(child, target / name, cut)
            else:
                content = cut.content(self._contents.get(child, b""), self._current_content(child))
                (target / name).write_bytes(content)

    def _record(self, inode: int) -> None:
        if self._is_folder(inode):
            self._names[inode] = self._current_names(inode)
        else:
            self._contents[inode] = self._current_content(inode)

    def _current_names(self, inode: int) -> dict[str, int]:
        folder = self._descriptors[inode]
        return {name: self._keep(os.open(name, os.O_RDONLY, dir_fd=folder)) for name in os.listdir(folder)}  # noqa: PTH208 (a descriptor)

    def _current_content(self, inode: int) -> bytes:
        descriptor = self._descriptors[inode]
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)

    def _is_folder(self, inode: int) -> bool:
        return stat.S_ISDIR(os.fstat(self._descriptors[inode]).st_mode)

    def _keep(self, descriptor: int) -> int:
        """Keep the first descriptor of each inode open, close any other, and return the inode's number."""
        inode = os.fstat(descriptor).st_ino
        if self._descriptors.setdefault(inode, descriptor) != descriptor:
            os.close(descriptor)
        return inode
