"""Sound fonts from Debian packages: General MIDI sets and recorded drum kits.

One of the installed sets is drawn at random, so that a network does not overfit to one set's eight basses.
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from study.synthesis.midi import SOUND_FONT


@dataclass(frozen=True)
class SoundFont:
    """A sound font in a Debian package; the path is relative to /usr/share."""

    package: str
    licence: str
    path: str

    @property
    def file(self) -> Path:
        return Path("/usr/share", self.path)


GENERAL_MIDI = (
    SoundFont("timgm6mb-soundfont", "GPL 2", "sounds/sf2/TimGM6mb.sf2"),
    SoundFont("musescore-general-soundfont", "MIT, CC0", "sounds/sf3/MuseScore_General.sf3"),
    SoundFont("opl3-soundfont", "CC BY-SA 4.0", "sounds/sf2/OPL-3_FM_128M.sf2"),
    SoundFont("csound-soundfont", "public domain", "samples/sf_GMbank.sf2"),
)
# Their only preset is number 0 of bank 0, with the key map of General MIDI percussion.
KITS = (
    SoundFont("avldrums.lv2-soundfont", "CC BY-SA 3.0", "sounds/sf2/Black_Pearl_4_LV2.sf2"),
    SoundFont("avldrums.lv2-soundfont", "CC BY-SA 3.0", "sounds/sf2/Red_Zeppelin_4_LV2.sf2"),
)


def draw_general_midi(rng: np.random.Generator) -> Path:
    """Draw one of the installed General MIDI sound fonts; the environment variable SOUND_FONT overrides this."""
    files = [SOUND_FONT] if "SOUND_FONT" in os.environ else [SOUND_FONT, *_installed(GENERAL_MIDI)]
    return files[rng.integers(len(files))]


def draw_kit(rng: np.random.Generator) -> Path | None:
    """Draw one of the installed drum kits, or return None."""
    files = _installed(KITS)
    return files[rng.integers(len(files))] if files else None


def absent() -> list[str]:
    """Return the packages whose sound fonts are not installed."""
    return sorted({font.package for font in GENERAL_MIDI + KITS if not font.file.is_file()})


@cache
def _installed(fonts: tuple[SoundFont, ...]) -> tuple[Path, ...]:
    return tuple(font.file for font in fonts if font.file.is_file())
