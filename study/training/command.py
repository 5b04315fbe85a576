"""Train an Open-Unmix network for one target on MUSDB18, on a folder of songs with stems, or on synthesized songs.

Writes a model folder with a card. An interrupted training can be resumed. The defaults are those of the thesis.
"""

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root", type=Path, required=True, metavar="DIR", help="folder of MUSDB18 or of <track>/<stem>.wav"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the model")
    parser.add_argument("--target", default="vocals", help="stem to estimate (%(default)s)")
    parser.add_argument("--resume", action="store_true", help="continue the training in --out")
    parser.add_argument("--model", type=Path, metavar="DIR", help="start from the weights of this model (same shape)")
    parser.add_argument(
        "--partner",
        type=Path,
        metavar="MODEL",
        help="train for a blend with this model, which separates each song once",
    )
    for name, kind, default, meaning in (
        ("partner-share", float, 0.7, "share of the partner's mask in the blend"),
        ("epochs", int, 1000, "largest number of epochs"),
        ("patience", int, 140, "epochs without a lower validation loss after which training stops"),
        ("samples-per-track", int, 64, "examples of each song in an epoch"),
        ("batch-size", int, 16, "examples in a step"),
        ("seq-dur", float, 6.0, "seconds of an example"),
        ("hidden-size", int, 512, "width of the network"),
        ("lr", float, 0.001, "initial learning rate; it decays to 0"),
        ("weight-decay", float, 0.00001, "weight decay of Adam"),
        ("bandwidth", int, 16000, "bandwidth of the network in Hz"),
        ("nfft", int, 4096, "samples in a frame"),
        ("nhop", int, 1024, "samples between frames"),
        ("nb-workers", int, 1, "processes that prepare examples; 0: none"),
        ("seed", int, 42, "seed of the random numbers"),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default, help=f"{meaning} (%(default)s)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(%(default)s)")
    parser.add_argument(
        "--mixed-precision", action=argparse.BooleanOptionalAction, default=None,
        help="bfloat16 in the matrix products (on a GPU yes, on a CPU only if asked for: it pays where there is AMX)",
    )  # fmt: skip


def main(arguments: argparse.Namespace) -> int:
    """Train. Returns 2 if the data or the initial model cannot be used."""
    from study.training.datasets import BadFolder
    from study.training.trainer import train

    try:
        train(arguments)
    except BadFolder as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
