"""Generate songs with known stems for training, in the layout of MUSDB18: <out>/<track>/<stem>.wav and mixture.wav.

The stems are vocals and accompaniment, and also drums, bass and other, unless the accompaniment is a recording that
contains drums or bass. The same seed gives the same songs, for any number of processes. Existing songs are kept.

Needs FluidSynth, the FluidR3 General MIDI sound font, espeak-ng, flite and LAME, and study/requirements.txt. Recorded
voices and music from Debian packages are used if they are installed; missing packages are listed with an apt command.
"""

import argparse
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

PROGRAMS = ("fluidsynth", "espeak-ng", "flite", "lame")
SECONDS = 32.0  # approximate length of a song


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the songs")
    parser.add_argument("--hours", type=float, default=4.0, help="total length of the songs (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers (%(default)s)")
    parser.add_argument("--nb-workers", type=int, default=2, help="number of processes (%(default)s)")


def main(arguments: argparse.Namespace) -> int:
    """Generate the songs. Returns 2 if a program or the sound font is missing."""
    if missing := _missing():
        print(
            f"error: {missing} (Debian: apt install fluidsynth fluid-soundfont-gm espeak-ng flite lame).",
            file=sys.stderr,
        )
        return 2
    _print_missing_packages()
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
    """Write a track to a temporary folder, and rename it when it is complete."""
    import soundfile

    from study.synthesis.effects import SAMPLE_RATE
    from study.synthesis.songs import make_song

    track = out / f"song {seed}-{index:05}"
    if track.is_dir():
        return
    song = make_song(np.random.default_rng([seed, index]), seconds)
    stems = {"mixture": song.mixture, "accompaniment": song.accompaniment, **song.stems}
    part = out / f".{track.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    for name, sound in stems.items():
        soundfile.write(part / f"{name}.wav", sound.T, SAMPLE_RATE, "PCM_16")
    part.rename(track)


def _print_missing_packages() -> None:
    from study.synthesis import recordings, samples, soundfonts

    if packages := sorted({*recordings.absent(), *samples.absent(), *soundfonts.absent()}):
        names = ", ".join(packages)
        print(f"Not installed, so their sounds are not used: {names} (Debian: apt install {' '.join(packages)}).")


def _missing() -> str | None:
    """Return what is missing, as a sentence without the full stop, or None."""
    from study.synthesis.midi import SOUND_FONT

    absent = [program for program in PROGRAMS if not shutil.which(program)]
    if absent:
        return f"{' and '.join(absent)} must be installed"
    return None if SOUND_FONT.is_file() else f"there is no sound font {SOUND_FONT}"
