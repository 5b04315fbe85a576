"""The encoding of texts that do not state it: UTF-8, or the code page of the machine that wrote them.

Windows-1252 and Windows-1251 share their bytes, so the words decide: Cyrillic ones consist of letters above ASCII,
while Western ones have a few of them between ASCII letters.
"""

import re

CYRILLIC = "cp1251"
WESTERN = "cp1252"
WORD = re.compile(r"[^\W\d_]+")
CYRILLIC_LETTERS = re.compile("[Ѐ-ӿ]+")


def decode(text: bytes) -> str:
    """The text in UTF-8 if it is valid, otherwise in the code page that is more likely."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode(likely_code_page(text), "replace")


def is_unambiguous(text: bytes) -> bool:
    """Whether the text is ASCII or valid UTF-8."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def likely_code_page(text: bytes) -> str:
    """`CYRILLIC` if most letters above ASCII are in words of nothing else, of three letters and more."""
    words = [word for word in WORD.findall(text.decode(CYRILLIC, "replace")) if not word.isascii()]
    cyrillic = sum(len(word) for word in words if len(word) > 2 and CYRILLIC_LETTERS.fullmatch(word))
    return CYRILLIC if 2 * cyrillic > sum(map(len, words)) else WESTERN
