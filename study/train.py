"""Train an Open-Unmix network for one target, on MUSDB18, on any folder of songs with their stems, or on made-up songs.

It writes a folder that `--model` takes, with a card, and can go on where it was stopped. The defaults are the thesis's.
"""

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root", type=Path, required=True, metavar="DIR", help="folder of MUSDB18 or of <track>/<stem>.wav"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the model")
    parser.add_argument("--target", default="vocals", help="stem to be estimated (%(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on where --out was left")
    parser.add_argument("--model", type=Path, metavar="DIR", help="begin with this model's weights (same shape)")
    for name, kind, default, meaning in (
        ("epochs", int, 1000, "at most"),
        ("patience", int, 140, "epochs without a lower validation loss after which it ends"),
        ("samples-per-track", int, 64, "examples of each song in an epoch"),
        ("batch-size", int, 16, "examples in a step"),
        ("seq-dur", float, 6.0, "seconds of an example"),
        ("hidden-size", int, 512, "width of the network"),
        ("lr", float, 0.001, "learning rate at first; it falls to nothing in the last epoch"),
        ("weight-decay", float, 0.00001, "of Adam"),
        ("bandwidth", int, 16000, "Hz that the network looks at"),
        ("nfft", int, 4096, "samples in a frame"),
        ("nhop", int, 1024, "samples from frame to frame"),
        ("nb-workers", int, 1, "processes that prepare examples; 0: none"),
        ("seed", int, 42, "of all that is random"),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default, help=f"{meaning} (%(default)s)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(%(default)s)")
    parser.add_argument(
        "--mixed-precision", action=argparse.BooleanOptionalAction, default=None,
        help="bfloat16 in the matrix products (on a GPU yes, on a CPU only if asked for: it pays where there is AMX)",
    )  # fmt: skip


def main(arguments: argparse.Namespace) -> int:
    """Train; 2 when the data or the model to begin with cannot be used."""
    from study.datasets import BadFolder
    from study.training import train

    try:
        train(arguments)
    except BadFolder as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
