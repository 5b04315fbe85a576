"""Is a file what it was when it was made? By the SHA-256 that its name tells of, or by the checksums that it holds."""

import hashlib
import re
import zipfile
import zlib
from pathlib import Path

BLOCK = 1 << 18
DIGITS = re.compile(r"-([0-9a-f]{8})\.pth")  # torch hub's: the first of the file's SHA-256


def is_whole(path: Path) -> bool:
    """Whether a file of weights is as it was written, as far as it can be known. Raises OSError.

    torch's own files are zips, whose checksums torch does not look at; older ones have none.
    """
    if digits := DIGITS.search(path.name):
        return has_sha256(path, digits[1])
    if not zipfile.is_zipfile(path):
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError):
        return False


def has_sha256(path: Path, digits: str) -> bool:
    """Whether the SHA-256 of the file at `path`, in hexadecimal, begins with `digits`. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest().startswith(digits)
