"""Check a file of weights against the SHA-256 in its name, or else against the CRC-32 checksums of its zip archive."""

import hashlib
import re
import zipfile
import zlib
from pathlib import Path

BLOCK = 1 << 18
DIGITS = re.compile(r"-([0-9a-f]{8})\.pth")  # as in torch hub: the first 8 digits of the file's SHA-256


def is_intact(path: Path) -> bool:
    """Return whether a file of weights passes its checksum, or has none. Raises OSError.

    torch saves zip archives, but does not verify their checksums when it loads them; its older format has none.
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
    """Return whether the SHA-256 of the file at `path`, in hexadecimal, begins with `digits`. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest().startswith(digits)
