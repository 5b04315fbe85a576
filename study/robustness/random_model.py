"""A tiny untrained network in Open-Unmix's format."""

import json
from pathlib import Path

import torch
from openunmix.model import OpenUnmix


def write_random_model(folder: Path) -> Path:
    """Write a model with random weights into `folder`, and return the folder."""
    folder.mkdir()
    torch.manual_seed(0)
    settings = {"sample_rate": 44100.0, "nfft": 4096, "nhop": 1024, "nb_channels": 2}
    (folder / "separator.json").write_text(json.dumps(settings))
    (folder / "vocals.json").write_text("{}")
    torch.save(OpenUnmix(2049, 2, 16, max_bin=256).state_dict(), folder / "vocals.pth")
    return folder
