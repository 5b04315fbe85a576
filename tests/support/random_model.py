"""Models with random weights in Open-Unmix's own format. Most faults show without a trained model."""

import json
from pathlib import Path

import torch
from openunmix.model import OpenUnmix


def save_random_model(
    folder: Path, targets=("vocals",), hidden_size=32, max_bin=1487, nb_channels=2, n_fft=4096, n_hop=1024, gain=0.0
) -> Path:
    """Write a model of this shape into `folder`. `gain` is added to the mask before its last activation."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"sample_rate": 44100.0, "nfft": n_fft, "nhop": n_hop, "nb_channels": nb_channels}
    (folder / "separator.json").write_text(json.dumps(settings))
    args = {"nfft": n_fft, "nb_channels": nb_channels, "hidden_size": hidden_size}
    for seed, target in enumerate(targets):
        torch.manual_seed(seed)
        network = OpenUnmix(n_fft // 2 + 1, nb_channels, hidden_size, max_bin=max_bin)
        with torch.no_grad():
            _randomise_statistics(network)
            network.output_mean += gain
        torch.save(network.state_dict(), folder / f"{target}.pth")
        (folder / f"{target}.json").write_text(json.dumps({"args": args}))
    return folder


def _randomise_statistics(network: OpenUnmix) -> None:
    """Randomise the values that are 0 or 1 in a new network, so that a forgotten mean or scale shows."""
    for norm in (network.bn1, network.bn2, network.bn3):
        norm.running_mean.normal_(0, 0.1)
        norm.running_var.uniform_(0.5, 1.5)
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.normal_(0, 0.1)
    network.input_mean.normal_(-0.3, 0.1)
    network.input_scale.uniform_(0.5, 1.5)
    network.output_scale.uniform_(0.2, 0.6)
    network.output_mean.uniform_(0.0, 0.5)


def damage_weights(weights: Path, damage: str) -> None:
    """Cut the file ("cut"), change one bit of it ("byte"), or replace it by a folder ("folder")."""
    raw = weights.read_bytes()
    middle = len(raw) // 2
    weights.unlink()  # other copies of the project may have links to the same file
    if damage == "folder":
        weights.mkdir()
    else:
        byte = raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :]
        weights.write_bytes({"cut": raw[:middle], "byte": byte}[damage])
