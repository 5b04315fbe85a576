"""Open-Unmix's network (Stöter et al., "Open-Unmix", JOSS 2019) for sequences of any length: all but its three
recurrent layers sees each frame alone, and the recurrent layers hand their state on from block to block.

What stands on either side of a matrix product (scales, means, batch normalisation) is folded into it at loading.
"""

import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .errors import WeightsError, is_for_want_of_memory
from .integrity import is_whole
from .weights import weights_file

NB_LAYERS = 3
HIGHEST_RATE = 768_000  # Hz
BATCH_NORM_EPS = 1e-5  # of torch.nn.BatchNorm1d
BINS_AT_ONCE = 128  # of 300 frames: the Wiener filter then works on about four megabytes, which stay in the cache


class Network:
    """The network of one target, for `nb_channels` channels: `encode`, then `layers`, then `decode`, then `masks`."""

    def __init__(self, state: dict[str, Tensor], nb_channels: int):
        state = {name: tensor.float() for name, tensor in state.items()}
        self.nb_bins = len(state["input_mean"])
        self.hidden_size = len(state["fc1.weight"])
        self._encoder = _encoder(state, nb_channels)
        self._decoder = _normalised(state["fc2.weight"], state, "bn2")
        self._masker = list(_masker(state, nb_channels))
        self.layers = [[_lstm(state, f"l{layer}{way}") for way in ("", "_reverse")] for layer in range(NB_LAYERS)]

    def to(self, device: str) -> "Network":
        """Move all weights to `device`."""
        self._encoder = tuple(tensor.to(device) for tensor in self._encoder)
        self._decoder = tuple(tensor.to(device) for tensor in self._decoder)
        self._masker = [(weight.to(device), bias.to(device)) for weight, bias in self._masker]
        self.layers = [[lstm.to(device) for lstm in layer] for layer in self.layers]
        return self

    def encode(self, magnitudes: Tensor) -> Tensor:
        """Magnitudes (nb_channels, nb_frames, nb_bins) to features (nb_frames, hidden_size)."""
        weight, out = self._encoder
        for channel, weight_of_channel in zip(magnitudes, weight, strict=True):
            out = torch.addmm(out, channel[:, : self.nb_bins], weight_of_channel)
        return out.tanh_()

    def decode(self, features: Tensor, recurrent: Tensor) -> Tensor:
        """Features, and what the last recurrent layer made of them, both (..., hidden_size), to (..., hidden_size)."""
        weight, bias = self._decoder
        return torch.nn.functional.linear(torch.cat([features, recurrent], -1), weight, bias).relu_()

    def masks(self, decoded: Tensor) -> Iterator[Tensor]:
        """Decoded frames (nb_frames, hidden_size) to what the mixture's magnitudes are multiplied by, for BINS_AT_ONCE
        bins of the STFT after the other, each (nb_channels, nb_frames, a few bins)."""
        for weight, bias in self._masker:
            yield torch.baddbmm(bias, decoded.expand(len(weight), -1, -1), weight).relu_()


@dataclass(frozen=True)
class Model:
    """The networks by target, and the STFT that they were trained with."""

    networks: dict[str, Network]
    sample_rate: int
    n_fft: int
    n_hop: int
    nb_channels: int
    device: str


def load_model(folder: Path, targets: Sequence[str], device: str) -> Model:
    """The model in `folder` for `targets` on `device` ("cpu" or "cuda"). Raises WeightsError naming a wrong file."""
    numbers = _settings(folder / "separator.json")
    networks = {target: _network(folder, target, *numbers[1::2]).to(device) for target in targets}
    return Model(networks, *numbers, device)


def _settings(path: Path) -> tuple[int, int, int, int]:
    """Sample rate, n_fft, n_hop, nb_channels, all such as a model can have."""
    settings = _json(path)
    try:
        rate, n_fft, n_hop, nb_channels = (int(settings[key]) for key in ("sample_rate", "nfft", "nhop", "nb_channels"))
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _damaged(path) from None
    if not (0 < rate <= HIGHEST_RATE and 0 < n_hop <= n_fft // 2 and n_fft % 2 == 0 and nb_channels in (1, 2)):
        raise _damaged(path)
    return rate, n_fft, n_hop, nb_channels


def _network(folder: Path, target: str, n_fft: int, nb_channels: int) -> Network:
    path = weights_file(folder, target)
    try:
        if not is_whole(path):
            raise ValueError("another file than was written")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch wonders about in a file is no news for who separates
            network = Network(torch.load(path, map_location="cpu", weights_only=True), nb_channels)
        masks = network.masks(network.decode(*torch.zeros(2, 1, network.hidden_size)))
        if sum(mask.shape[-1] for mask in masks) != n_fft // 2 + 1:
            raise ValueError("a network for another STFT")
    except Exception as error:  # torch raises many kinds for a file that is not what it should be
        if is_for_want_of_memory(error):
            raise
        raise WeightsError(f"{folder.name}/{path.name} is damaged, or not a network of this model.") from None
    return network


def _damaged(path: Path) -> WeightsError:
    return WeightsError(f"{path.parent.name}/{path.name} is damaged.")


def _json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        raise WeightsError(f"{path.parent.name}/{path.name} is missing or damaged.") from None


def _encoder(state: dict[str, Tensor], nb_channels: int) -> tuple[Tensor, Tensor]:
    """Weight (nb_channels, nb_bins, hidden_size) and bias (hidden_size): shift, scale, first layer, normalisation."""
    weight, bias = _normalised(state["fc1.weight"], state, "bn1")
    weight = weight.unflatten(1, (nb_channels, -1)) * state["input_scale"]
    bias = bias + (weight * state["input_mean"]).sum((1, 2))
    return weight.permute(1, 2, 0).contiguous(), bias


def _masker(state: dict[str, Tensor], nb_channels: int) -> Iterator[tuple[Tensor, Tensor]]:
    """For a few bins after the other, weight (nb_channels, hidden_size, a few bins) and bias (nb_channels, 1, a few
    bins): last layer, normalisation, scale."""
    weight, bias = _normalised(state["fc3.weight"], state, "bn3")
    scale = state["output_scale"]
    weight = weight.unflatten(0, (nb_channels, -1)) * scale[:, None]
    bias = bias.unflatten(0, (nb_channels, 1, -1)) * scale + state["output_mean"]
    for part, bias_part in zip(weight.split(BINS_AT_ONCE, 1), bias.split(BINS_AT_ONCE, 2), strict=True):
        yield part.transpose(1, 2).contiguous(), bias_part


def _normalised(weight: Tensor, state: dict[str, Tensor], norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer with the batch normalisation that follows it."""
    gain = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + BATCH_NORM_EPS).sqrt()
    return weight * gain[:, None], state[f"{norm}.bias"] - gain * state[f"{norm}.running_mean"]


def _lstm(state: dict[str, Tensor], suffix: str) -> torch.nn.LSTM:
    """One layer in one direction, time first."""
    own = {name: state[f"lstm.{name}_{suffix}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    nb_gates_times_half, input_size = own["weight_ih"].shape
    lstm = torch.nn.LSTM(input_size, nb_gates_times_half // 4, device="meta")
    lstm.load_state_dict({f"{name}_l0": tensor for name, tensor in own.items()}, assign=True)
    return lstm.requires_grad_(False)
