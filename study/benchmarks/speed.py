"""Measure the time and the memory of the separation command, optionally in comparison with Open-Unmix's `umx`.

The commands alternate on the same file, so that other load on the machine affects all of them, and a ratio compares two
runs of the same round. If the first model is in Open-Unmix's format, both commands run a copy of it without the
settings that `umx` does not know, and the stems must be equal. `umx` cannot run Spleeter and blends: for these it runs
the starter model, and only times are compared.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from study.benchmarks.measurement import PROJECT, CommandFailed, Run, describe_machine, run_measured

STARTER = "starter"
UMX = "umx"
SECONDS = (8, 60, 240)
SAMPLE_RATE = 44100
SETTINGS_OF_UMX = ("sample_rate", "nfft", "nhop", "nb_channels")
LARGEST_DIFFERENCE = 1e-4  # of full scale


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", type=Path, help="audio files (default: synthetic files of 8, 60 and 240 s)")
    parser.add_argument("--against", choices=[UMX], help="also run Open-Unmix's own command and compare")
    parser.add_argument(
        "--model", nargs="+", default=[STARTER], help="names or folders of models: starter, spleeter, blend (starter)"
    )
    parser.add_argument(
        "--targets", nargs="+", default=["vocals"], help="targets to estimate besides the residual (vocals)"
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="measured runs of each command, after one warm-up run (%(default)s)"
    )


def main(arguments: argparse.Namespace) -> int:
    """Measure and print a Markdown table. Returns 1 if the stems differ from those of `umx`."""
    targets = ", ".join(arguments.targets)
    print(f"{describe_machine()}\n\nModels: {', '.join(arguments.model)}, targets: {targets}, and the residual.\n")
    print("| file | command | wall s | user s | system s | peak MB | audio s per s | speed relative to umx |")
    print("|---|---|---|---|---|---|---|---|")
    first = _ours(arguments.model[0])
    worst = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        commands = _commands(arguments, Path(scratch))
        is_same = arguments.against and commands[UMX][-1] == commands[first][-1]
        for path in arguments.files or [_write_synthetic_song(Path(scratch), seconds) for seconds in SECONDS]:
            runs = _measure(path, commands, arguments, Path(scratch))
            _print_rows(path, runs)
            if is_same:
                differences = [_difference(Path(scratch), (first, UMX), path, name) for name in arguments.targets]
                worst = max(worst, *differences)
    if is_same:
        print(f"\nLargest difference between the targets' samples: {worst:.1e} of full scale.")
    return int(worst > LARGEST_DIFFERENCE)


def _commands(arguments: argparse.Namespace, scratch: Path) -> dict[str, list[str]]:
    """Return the module and the model of each measured command."""
    commands = {_ours(model): ["openunmix_models", _path(model)] for model in arguments.model}
    if arguments.against:
        first = arguments.model[0]
        is_known = Path(_path(first), f"{arguments.targets[0]}.json").is_file()
        model = _copy_for_umx(Path(_path(first if is_known else STARTER)), scratch / "models")
        commands[UMX] = ["study.benchmarks.umx_with_soundfile", model]
        if is_known:
            commands[_ours(first)] = ["openunmix_models", model]
    return commands


def _copy_for_umx(model: Path, folder: Path) -> str:
    """Copy a model into `folder`, with the settings that `umx` knows: without its own niter and input levels."""
    copy = shutil.copytree(model, folder / model.name)
    settings = json.loads((copy / "separator.json").read_text())
    (copy / "separator.json").write_text(json.dumps({key: settings[key] for key in SETTINGS_OF_UMX}))
    return str(copy)


def _ours(model: str) -> str:
    return f"ours, {Path(model).name}"


def _path(model: str) -> str:
    """Return the folder of a model, or the name itself if it has no folder (for example a blend of names)."""
    named = PROJECT / "openunmix_models" / model
    found = [path for path in (Path(model), named) if (path / "separator.json").is_file()]
    return str(found[0].resolve()) if found else model


def _measure(
    path: Path, commands: Mapping[str, list[str]], arguments: argparse.Namespace, scratch: Path
) -> dict[str, list[Run]]:
    """Run the commands alternately, and return the runs of each without the warm-up run."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(1 + arguments.repeats):
        for name, (module, model) in commands.items():
            runs[name].append(_run(module, model, path, arguments.targets, scratch / _folder(name)))
    return {name: counted[1:] for name, counted in runs.items()}


def _run(module: str, model: str, path: Path, targets: Sequence[str], outdir: Path) -> Run:
    command = [sys.executable, "-m", module, path.resolve(), "--model", model, "--targets", *targets]
    try:
        return run_measured([*command, "--residual", "residual", "--no-cuda", "--outdir", outdir])
    except CommandFailed as failed:
        raise SystemExit(f"{module} failed with {Path(model).name}:\n{failed.output}") from None


def _folder(name: str) -> str:
    """Return the name of the folder for the stems of a command."""
    return name.replace(":", "_")


def _print_rows(path: Path, runs: dict[str, list[Run]]) -> None:
    seconds = soundfile.info(path).duration
    for name, of_command in runs.items():
        wall, user, system = (
            statistics.median(getattr(r, key) for r in of_command) for key in ("wall", "user", "system")
        )
        peak = max(r.peak for r in of_command) / 1e6
        times = ""
        if UMX in runs and name != UMX:
            times = f"{statistics.median(b.wall / a.wall for a, b in zip(of_command, runs[UMX], strict=True)):.1f}"
        cells = [f"{path.stem}, {seconds:.0f} s", name, f"{wall:.2f}", f"{user:.2f}", f"{system:.2f}", f"{peak:.0f}"]
        print("|", " | ".join([*cells, f"{seconds / wall:.0f}", times]), "|", flush=True)


def _difference(scratch: Path, names: Sequence[str], path: Path, target: str) -> float:
    """Return the largest absolute difference between the samples of the two commands for a target."""
    ours, theirs = (soundfile.SoundFile(scratch / _folder(name) / path.stem / f"{target}.wav") for name in names)
    with ours, theirs:
        if ours.frames != theirs.frames or ours.samplerate != theirs.samplerate:
            return float("inf")
        blocks = zip(ours.blocks(2**18, always_2d=True), theirs.blocks(2**18, always_2d=True), strict=True)
        return max(float(np.abs(a - b).max()) for a, b in blocks)


def _write_synthetic_song(folder: Path, seconds: int) -> Path:
    """Write a synthetic song: a gliding tone over changing chords, 16-bit stereo."""
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
