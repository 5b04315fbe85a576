"""Open-Unmix's networks of one model folder (Stöter et al., "Open-Unmix", JOSS 2019), ready to infer."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from openunmix.model import OpenUnmix

from .errors import WeightsError
from .weights import weights_file


@dataclass(frozen=True)
class Model:
    """The networks by target, and the STFT that they were trained with."""

    networks: dict[str, OpenUnmix]
    sample_rate: int
    n_fft: int
    n_hop: int
    nb_channels: int
    device: str


def load_model(folder: Path, targets: Sequence[str], device: str) -> Model:
    """The model in `folder` for `targets` on `device` ("cpu" or "cuda"). Raises WeightsError naming a wrong file."""
    settings = _json(folder / "separator.json")
    networks = {target: _network(folder, target).to(device) for target in targets}
    try:
        numbers = [int(settings[key]) for key in ("sample_rate", "nfft", "nhop", "nb_channels")]
    except (KeyError, TypeError, ValueError):
        raise WeightsError(f"{folder / 'separator.json'} is damaged.") from None
    return Model(networks, *numbers, device)


def _network(folder: Path, target: str) -> OpenUnmix:
    args, path = _json(folder / f"{target}.json")["args"], weights_file(folder, target)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network = OpenUnmix(
            nb_bins=args["nfft"] // 2 + 1,
            nb_channels=args["nb_channels"],
            hidden_size=args["hidden_size"],
            max_bin=state["input_mean"].shape[0],
        )
        network.load_state_dict(state, strict=False)
    except Exception:  # torch raises many kinds for a file that is not what it should be
        raise WeightsError(f"{path} is damaged, or does not belong to {target}.json.") from None
    network.freeze()
    return network


def _json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        raise WeightsError(f"{path} is missing or damaged.") from None
