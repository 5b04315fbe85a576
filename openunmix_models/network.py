"""Open-Unmix's network, for sequences of any length.

Only its three LSTM layers depend on more than one frame, and they pass their state from block to block. Input and
output scaling and batch normalisation are folded into the adjacent linear layers when the weights are loaded.
Source: F.-R. Stöter et al., "Open-Unmix: a reference implementation for music source separation", JOSS 4(41), 1667,
2019.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from .masks import BINS_AT_ONCE

NB_LAYERS = 3
BATCH_NORM_EPS = 1e-5  # of torch.nn.BatchNorm1d


class Network:
    """The network of one target. Call `encode`, then run the LSTM `layers`, then call `decode`, then `masks`."""

    def __init__(self, state: dict[str, Tensor], nb_channels: int):
        state = {name: tensor.float() for name, tensor in state.items()}
        self.nb_bins = len(state["input_mean"])
        self.hidden_size = len(state["fc1.weight"])
        self.device = "cpu"
        self._encoder: tuple[Tensor, ...] = _encoder(state, nb_channels)
        self._decoder: tuple[Tensor, ...] = _normalised(state["fc2.weight"], state, "bn2")
        self._masker = list(_masker(state, nb_channels))
        self.layers = [[_lstm(state, f"l{layer}{way}") for way in ("", "_reverse")] for layer in range(NB_LAYERS)]

    def to(self, device: str) -> "Network":
        """Move all weights to `device`."""
        self.device = device
        self._encoder = tuple(tensor.to(device) for tensor in self._encoder)
        self._decoder = tuple(tensor.to(device) for tensor in self._decoder)
        self._masker = [(weight.to(device), bias.to(device)) for weight, bias in self._masker]
        self.layers = [[lstm.to(device) for lstm in layer] for layer in self.layers]
        return self

    def encode(self, magnitudes: Tensor, gain: float = 1.0) -> Tensor:
        """Compute features (nb_frames, hidden_size) from magnitudes (nb_channels, nb_frames, nb_bins) times `gain`."""
        weight, out = self._encoder
        for channel, weight_of_channel in zip(magnitudes, weight, strict=True):
            out = torch.addmm(out, channel[:, : self.nb_bins], weight_of_channel, alpha=gain)
        return out.tanh_()

    def decode(self, features: Tensor, recurrent: Tensor) -> Tensor:
        """Combine features and the last LSTM layer's output, both (..., hidden_size), to (..., hidden_size)."""
        weight, bias = self._decoder
        return torch.nn.functional.linear(torch.cat([features, recurrent], -1), weight, bias).relu_()

    def masks(self, decoded: Tensor) -> Iterator[Tensor]:
        """Compute the mask from decoded frames (nb_frames, hidden_size).

        Yields:
            the mask of the next BINS_AT_ONCE bins, (nb_channels, nb_frames, BINS_AT_ONCE); the last may have fewer.
        """
        for weight, bias in self._masker:
            yield torch.baddbmm(bias, decoded.expand(len(weight), -1, -1), weight).relu_()


def _encoder(state: dict[str, Tensor], nb_channels: int) -> tuple[Tensor, Tensor]:
    """Weight (nb_channels, nb_bins, hidden_size) and bias (hidden_size): the input's shift and scale,
    the first layer, and its batch normalisation."""
    weight, bias = _normalised(state["fc1.weight"], state, "bn1")
    weight = torch.unflatten(weight, 1, (nb_channels, -1)) * state["input_scale"]
    bias = bias + (weight * state["input_mean"]).sum((1, 2))
    # (hidden_size, nb_channels, nb_bins) to (nb_channels, nb_bins, hidden_size)
    return weight.permute(1, 2, 0).contiguous(), bias


def _masker(state: dict[str, Tensor], nb_channels: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Fold the last layer, its batch normalisation, and the output scale for consecutive bins.

    Yields weight (nb_channels, hidden_size, BINS_AT_ONCE) and bias (nb_channels, 1, BINS_AT_ONCE).
    """
    weight, bias = _normalised(state["fc3.weight"], state, "bn3")
    scale = state["output_scale"]
    weight = torch.unflatten(weight, 0, (nb_channels, -1)) * scale[:, None]
    bias = torch.unflatten(bias, 0, (nb_channels, 1, -1)) * scale + state["output_mean"]
    for part, bias_part in zip(torch.split(weight, BINS_AT_ONCE, 1), torch.split(bias, BINS_AT_ONCE, 2), strict=True):
        yield part.transpose(1, 2).contiguous(), bias_part


def _normalised(weight: Tensor, state: dict[str, Tensor], norm: str) -> tuple[Tensor, Tensor]:
    """Fold a batch normalisation into the linear layer before it; return weight and bias."""
    gain = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + BATCH_NORM_EPS).sqrt()
    return weight * gain[:, None], state[f"{norm}.bias"] - gain * state[f"{norm}.running_mean"]


def _lstm(state: dict[str, Tensor], suffix: str) -> torch.nn.LSTM:
    """One layer in one direction, time first."""
    own = {name: state[f"lstm.{name}_{suffix}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    nb_gates_times_half, input_size = own["weight_ih"].shape
    lstm = torch.nn.LSTM(input_size, nb_gates_times_half // 4, device="meta")
    lstm.load_state_dict({f"{name}_l0": tensor for name, tensor in own.items()}, assign=True)
    return lstm.requires_grad_(False)
