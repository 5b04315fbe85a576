"""The documentation, and the commands in it."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.project import PROJECT

DOCUMENTS = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?:sh|bat|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`((?:\.venv/bin/|\.venv\\|\.ci/|sudo |py |pip |npm |curl |demucs |python3? -m )[^`]+)`")


def blocks(document: Path) -> list[str]:
    """The code blocks of `document` that contain commands."""
    return BLOCK.findall(document.read_text("utf-8"))


def commands() -> Iterator[str]:
    """Every code block and inline command of the documents, as "<file>: <command>"."""
    for document in DOCUMENTS:
        name = document.relative_to(PROJECT).as_posix()
        text = document.read_text("utf-8")
        yield from (f"{name}: {command}" for command in [*BLOCK.findall(text), *INLINE.findall(text)])


def block_with(name: str, words: str) -> str:
    """The one block of the document `name` that contains `words`."""
    (found,) = [block for block in blocks(PROJECT / name) if words in block]
    return found
