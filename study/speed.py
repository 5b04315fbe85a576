"""How fast the separation is, as a whole process, and how much memory it takes; beside Open-Unmix's `umx` if asked.

Both commands run in turn on the same file and the same weights, so that a machine that is busy is so for both; the
ratio is that of each pair. Their stems must agree.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from study.measuring import PROJECT, CommandFailed, Run, machine, measured

STARTER = PROJECT / "openunmix_models" / "starter"
COMMANDS = {"ours": "openunmix_models", "umx": "study.upstream"}
SECONDS = (8, 60, 240)
SAMPLE_RATE = 44100
LARGEST_DIFFERENCE = 1e-4  # of full scale


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="*", type=Path, help="audio files (made, 8, 60 and 240 s long, when none is given)"
    )
    parser.add_argument("--against", choices=["umx"], help="run Open-Unmix's own command in turn, and compare")
    parser.add_argument("--model", type=Path, default=STARTER, help="folder of the weights (the starter)")
    parser.add_argument("--targets", nargs="+", default=["vocals"], help="what to estimate beside a residual (vocals)")
    parser.add_argument(
        "--repeats", type=int, default=3, help="counted runs of each, after one that is not (%(default)s)"
    )


def main(arguments: argparse.Namespace) -> int:
    """Measure, and print the table as Markdown. 1 if the stems do not agree."""
    names = ["ours", *([arguments.against] if arguments.against else [])]
    print(f"{machine()}\n\nModel: {arguments.model.name}, targets: {', '.join(arguments.targets)}, and a residual.\n")
    print("| file | command | wall s | user s | system s | peak MB | audio s per s | times as fast |")
    print("|---|---|---|---|---|---|---|---|")
    worst = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        for path in arguments.files or [_made(Path(scratch), seconds) for seconds in SECONDS]:
            runs = _measure(path, names, arguments, Path(scratch))
            _print_rows(path, runs)
            if arguments.against:
                worst = max(worst, *(_difference(Path(scratch), names, path, target) for target in arguments.targets))
    if arguments.against:
        print(f"\nLargest difference between the targets' samples: {worst:.1e} of full scale.")
    return int(worst > LARGEST_DIFFERENCE)


def _measure(path: Path, names: Sequence[str], arguments: argparse.Namespace, scratch: Path) -> dict[str, list[Run]]:
    """Each command's counted runs, made in turn after a warming one."""
    runs = {name: [] for name in names}
    for _ in range(1 + arguments.repeats):
        for name in names:
            runs[name].append(_run(name, path, arguments, scratch / name))
    return {name: counted[1:] for name, counted in runs.items()}


def _run(name: str, path: Path, arguments: argparse.Namespace, outdir: Path) -> Run:
    options = [
        "--model",
        arguments.model.resolve(),
        "--targets",
        *arguments.targets,
        "--residual",
        "residual",
        "--no-cuda",
    ]
    command = [sys.executable, "-m", COMMANDS[name], path.resolve(), *options, "--outdir", outdir]
    try:
        return measured(command)
    except CommandFailed as failed:
        raise SystemExit(f"{name} failed:\n{failed.said}") from None


def _print_rows(path: Path, runs: dict[str, list[Run]]) -> None:
    seconds = soundfile.info(path).duration
    for name, of_command in runs.items():
        wall, user, system = (
            statistics.median(getattr(r, key) for r in of_command) for key in ("wall", "user", "system")
        )
        peak = max(r.peak for r in of_command) / 1e6
        ratio = statistics.median(b.wall / a.wall for a, b in zip(of_command, runs[list(runs)[-1]], strict=True))
        times = f"{ratio:.1f}" if name == "ours" and len(runs) > 1 else ""
        cells = [f"{path.stem}, {seconds:.0f} s", name, f"{wall:.2f}", f"{user:.2f}", f"{system:.2f}", f"{peak:.0f}"]
        print("|", " | ".join([*cells, f"{seconds / wall:.0f}", times]), "|", flush=True)


def _difference(scratch: Path, names: Sequence[str], path: Path, target: str) -> float:
    """Largest difference between the two commands' samples of a target."""
    ours, theirs = (soundfile.SoundFile(scratch / name / path.stem / f"{target}.wav") for name in names)
    with ours, theirs:
        if ours.frames != theirs.frames or ours.samplerate != theirs.samplerate:
            return float("inf")
        blocks = zip(ours.blocks(2**18, always_2d=True), theirs.blocks(2**18, always_2d=True), strict=True)
        return max(float(np.abs(a - b).max()) for a, b in blocks)


def _made(folder: Path, seconds: int) -> Path:
    """Chords that come and go under a gliding voice, 16 bit stereo."""
    path = folder / f"made{seconds}.wav"
    rng = np.random.default_rng(seconds)
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 2, "PCM_16") as file:
        for second in range(seconds):
            moments = second + np.arange(SAMPLE_RATE) / SAMPLE_RATE
            voice = 0.2 * np.sin(2 * np.pi * 300 * moments + 8 * np.sin(2 * np.pi * 0.7 * moments))
            chord = sum(0.05 * np.sin(2 * np.pi * note * moments) for note in rng.choice([110, 165, 220, 277, 330], 3))
            sides = np.stack([voice + chord, voice - 0.5 * chord], axis=1)
            file.write(sides + 0.01 * rng.standard_normal(sides.shape))
    return path
