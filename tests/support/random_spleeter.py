"""A model of Spleeter's shape with random weights."""

import json
import math
from pathlib import Path

import torch

from openunmix_models.unet import weight_shapes

SETTINGS = {"kind": "spleeter", "sample_rate": 44100, "nfft": 4096, "nhop": 1024, "nb_channels": 2, "niter": 0}


def random_state(seed: int) -> dict[str, torch.Tensor]:
    """Weights that keep the signal's level from layer to layer, so that no part of the network is without effect."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in weight_shapes().items():
        draw = torch.randn(shape, generator=generator)
        if name.endswith("gain"):
            state[name] = 0.7 + 0.2 * draw.abs()
        elif name.endswith("weight"):
            # A stride of 2 spreads the 25 taps of a transposed convolution over four places.
            nb_taps = shape[0] * 25 / 4 if name.startswith("up") else math.prod(shape[1:])
            gain = 0.1 if name == "mask.weight" else 1.0  # its sigmoid would saturate
            state[name] = gain * draw * math.sqrt(1.5 / nb_taps)
        else:
            state[name] = 0.1 * draw
    return state


def save_random_spleeter(folder: Path) -> Path:
    """Write the model into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "separator.json").write_text(json.dumps(SETTINGS))
    for seed, target in enumerate(("vocals", "accompaniment")):
        torch.save(random_state(seed), folder / f"{target}.pth")
    return folder
