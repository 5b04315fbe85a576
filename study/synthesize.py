"""Make up songs with true stems, in the layout of MUSDB18: <out>/<track>/{mixture,vocals,accompaniment}.wav.

The same seed makes the same songs, however many processes make them; songs that are there are not made again.
Needs FluidSynth, the FluidR3 General MIDI sound font, espeak-ng, flite and LAME beside study/requirements.txt. Recorded
voices and music of Debian's packages are used where they are installed; what is absent is named with its apt line.
"""

import argparse
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

PROGRAMS = ("fluidsynth", "espeak-ng", "flite", "lame")
SECONDS = 32.0  # of a song, about


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the songs")
    parser.add_argument("--hours", type=float, default=4.0, help="of music in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other songs (%(default)s)")
    parser.add_argument("--nb-workers", type=int, default=2, help="processes (%(default)s)")


def main(arguments: argparse.Namespace) -> int:
    """Make the songs; 2 when a program that plays or speaks is missing."""
    if missing := _missing():
        print(
            f"error: {missing} (Debian: apt install fluidsynth fluid-soundfont-gm espeak-ng flite lame).",
            file=sys.stderr,
        )
        return 2
    _say_what_is_absent()
    synthesize(arguments.out, max(1, round(arguments.hours * 3600 / SECONDS)), arguments.seed, arguments.nb_workers)
    return 0


def synthesize(out: Path, nb_tracks: int, seed: int, nb_workers: int) -> None:
    """Write tracks 0 to `nb_tracks` - 1 of `seed` into `out`."""
    from tqdm import tqdm

    out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(nb_workers) as pool:
        made = pool.map(partial(_make_track, out, seed, SECONDS), range(nb_tracks))
        for _ in tqdm(made, desc="synthesizing", total=nb_tracks, unit="song"):
            pass


def _make_track(out: Path, seed: int, seconds: float, index: int) -> None:
    """Write one track beside its place, then move it there."""
    import soundfile

    from study.effects import SAMPLE_RATE
    from study.songs import make_song

    track = out / f"song {seed}-{index:05}"
    if track.is_dir():
        return
    song = make_song(np.random.default_rng([seed, index]), seconds)
    part = out / f".{track.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    stems = {"mixture": song.vocals + song.accompaniment, "vocals": song.vocals, "accompaniment": song.accompaniment}
    for name, sound in stems.items():
        soundfile.write(part / f"{name}.wav", sound.T, SAMPLE_RATE, "PCM_16")
    part.rename(track)


def _say_what_is_absent() -> None:
    from study.recordings import absent

    if packages := absent():
        print(f"Without the recordings of {', '.join(packages)} (Debian: apt install {' '.join(packages)}).")


def _missing() -> str | None:
    """What is not installed, as a sentence without its full stop."""
    from study.midi import SOUND_FONT

    absent = [program for program in PROGRAMS if not shutil.which(program)]
    if absent:
        return f"{' and '.join(absent)} must be installed"
    return None if SOUND_FONT.is_file() else f"there is no sound font {SOUND_FONT}"
