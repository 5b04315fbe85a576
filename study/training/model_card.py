"""Write the model card of a trained model, and plot its losses."""

import subprocess
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def draw_losses(path: Path, losses: Sequence[tuple[float, float]]) -> None:
    """Draw the losses of training and validation over the epochs."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    epochs = range(1, len(losses) + 1)
    for name, values in zip(("training", "validation"), zip(*losses, strict=True), strict=True):
        axes.plot(epochs, values, label=name)
    axes.set(xlabel="epoch", ylabel="loss", yscale="log")
    axes.legend()
    figure.savefig(path)


def write_card(out: Path, arguments: Namespace, losses: Sequence[tuple[float, float]], nb_tracks: int) -> None:
    """Write README.md: data, parameters, epochs, losses, and the project's commit."""
    best = min(range(len(losses)), key=lambda epoch: losses[epoch][1])
    values = {key: value.name if isinstance(value, Path) else value for key, value in sorted(vars(arguments).items())}
    rows = "\n".join(f"| {key.replace('_', '-')} | {value} |" for key, value in values.items() if key != "command")
    text = (
        f"# {out.name}\n\n"
        f"An Open-Unmix network for the target `{arguments.target}`, trained by `python -m study train`\n"
        f"(commit {_commit()}) on {nb_tracks} songs of the folder `{arguments.root.name}`.\n\n"
        f"Epochs: {len(losses)}; the best is number {best + 1}, with a training loss of {losses[best][0]:.4f} and a "
        f"validation loss of {losses[best][1]:.4f}.\n"
        f"The loss is the mean square error of {_magnitudes(arguments)}, relative to the mixture's mean square.\n\n"
        f"![loss](loss.png)\n\n| parameter | value |\n|---|---|\n{rows}\n"
    )
    (out / "README.md").write_text(text, encoding="utf-8")


def _magnitudes(arguments: Namespace) -> str:
    if not arguments.partner:
        return "the magnitudes"
    return f"the magnitudes, in phase with the mixture, of a blend with `{arguments.partner.name}`"


def _commit() -> str:
    """Return the project's commit, or "unknown" outside a git repository."""
    command = ["git", "-C", str(PROJECT), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
