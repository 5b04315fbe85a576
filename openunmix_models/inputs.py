"""An input as a file that libsndfile reads: the file itself, or a temporary WAV file decoded from it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import DiskError, InputError, MemoryShortageError, SeparatorError
from .probe import is_sound_file

PACKAGE = Path(__file__).resolve().parent
FOLDER_PREFIX = ".decoded-"


@contextmanager
def as_sound_file(path: Path, folder: Path, until: float | None = None) -> Iterator[Path]:
    """Yield a sound file with the samples of the recording at `path`.

    Args:
        path: a recording in any of the formats that can be decoded.
        folder: where the temporary WAV file is made, which is deleted at the end.
        until: how many seconds are needed of it, None for all.
    Raises:
        InputError: the recording cannot be decoded.
        DiskError, MemoryShortageError: there is not enough space to decode it.
    """
    if not _must_be_decoded(path):
        yield path
        return
    temporary = _make_folder(folder)
    try:
        wav = temporary / path.name
        _decode(path, wav, until)
        yield wav
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        with suppress(OSError):  # it has stems
            folder.rmdir()


def _must_be_decoded(path: Path) -> bool:
    try:
        return not is_sound_file(path)
    except (InputError, OSError):
        return False  # reading it gives the error


def _make_folder(folder: Path) -> Path:
    """Make a temporary folder in `folder`, and remove those that killed processes have left."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{FOLDER_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)
        return Path(tempfile.mkdtemp(dir=folder, prefix=FOLDER_PREFIX))
    except OSError as error:
        raise DiskError(f"The decoded sound cannot be written: {error.strerror}.") from None


def _decode(path: Path, wav: Path, until: float | None) -> None:
    """Decode in a process of its own, which a hostile file may crash."""
    command = [sys.executable, "-m", "openunmix_models.decode", str(path.resolve()), str(wav.resolve())]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # each thread takes addresses, which are limited
    command += [] if until is None else ["--until", str(until)]
    done = subprocess.run(
        command,
        cwd=PACKAGE.parent,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise _error(done.returncode, done.stderr, path.name)


def _error(status: int, output: str, name: str) -> SeparatorError:
    """The error that the decoding process has reported, or one for its crash."""
    lines = [line.removeprefix("error: ") for line in output.splitlines() if line.startswith("error: ")]
    kind = next((kind for kind in (DiskError, MemoryShortageError) if kind.exit_status == status), InputError)
    return kind(lines[-1] if lines else f"{name} cannot be decoded: the decoder crashed or took too long.")
