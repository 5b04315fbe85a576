"""Open-Unmix (`network`) as a model that streams from disk: one LSTM network for each target.

The first pass scales each window to the networks' input levels, if the model states them, computes the first layer's
features of every frame, and writes them to disk. The second runs the LSTM layers over them, one layer at a time. The
third computes the masks with the networks' last layers.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import torch
from torch import Tensor

from .checkpoints import load_network
from .input_level import gain_to
from .masks import BINS_AT_ONCE, FRAMES_AT_ONCE, MaskEstimator, Model, Progress, Workspace
from .network import Network
from .recurrence import read_joined, run_layer
from .scratch import Scratch
from .settings import Settings
from .stft import power
from .weights import weights_file


@dataclass(frozen=True)
class OpenUnmix(Model):
    """The networks by target, and the STFT that they were trained with."""

    networks: dict[str, Network]
    settings: Settings
    device: str
    pass_seconds = (0.4, 1.2, 2.2)

    def estimator(self, targets: Sequence[str], workspace: Workspace) -> "OpenUnmixEstimator":
        return OpenUnmixEstimator(self, targets, workspace)

    def scratch_bytes(self, targets: Sequence[str]) -> tuple[int, int]:
        """The features of each target, and the outputs of two layers."""
        sizes = [self.networks[target].hidden_size for target in targets]
        return 4 * sum(sizes), 8 * max(sizes)


def load_open_unmix(folder: Path, settings: Settings, targets: Sequence[str], device: str) -> OpenUnmix:
    """Load an Open-Unmix model.

    Args:
        folder: folder of the model.
        settings: its settings, from `separator.json`.
        targets: names of the targets to load.
        device: "cpu" or "cuda".
    Raises:
        WeightsError: a file is missing or damaged; names the file.
    """

    def build(state: dict[str, Tensor]) -> Network:
        network = Network(state, settings.nb_channels)
        masks = network.masks(network.decode(*torch.zeros(2, 1, network.hidden_size)))
        if sum(mask.shape[-1] for mask in masks) != settings.n_fft // 2 + 1:
            raise ValueError("a network for another STFT")
        return network.to(device)

    networks = {target: load_network(weights_file(folder, target), build) for target in targets}
    return OpenUnmix(networks, settings, device)


class OpenUnmixEstimator(MaskEstimator):
    """The masks of one signal."""

    def __init__(self, model: OpenUnmix, targets: Sequence[str], workspace: Workspace):
        self._networks = [model.networks[target] for target in targets]
        self._levels = [model.settings.input_levels.get(target) for target in targets]
        self._settings, self._workspace = model.settings, workspace
        self._features = [workspace.sequence(network.hidden_size) for network in self._networks]

    def encode(self, start: int, magnitudes: Tensor) -> list[Tensor]:
        """Compute each network's features, (nb_frames, nb_pairs, hidden_size)."""
        pairs = torch.split(magnitudes, 2)
        inputs = [self._to_network_channels(pair) for pair in pairs]
        return [
            torch.stack([network.encode(x, gain_to(level, pair)) for x, pair in zip(inputs, pairs, strict=True)], dim=1)
            for network, level in zip(self._networks, self._levels, strict=True)
        ]

    def store(self, start: int, encoded: list[Tensor]) -> None:
        """Write the features; where windows overlap, those of the later window remain."""
        for features, of_network in zip(self._features, encoded, strict=True):
            features.write(start, of_network)

    def finish(self, nb_frames: int, progress: Progress) -> None:
        """Run each network's LSTM layers and the layer after them; their result replaces the features."""
        nb_networks = len(self._networks)
        for done, (network, features) in enumerate(zip(self._networks, self._features, strict=True)):
            for part in self._recur(network, features, nb_frames):
                progress((done + part) / nb_networks)

    def masks(self, start: int, mix_stft: Tensor) -> list[Iterator[Tensor]]:
        features = [sequence.read(start, start + mix_stft.shape[1]).to(mix_stft.device) for sequence in self._features]
        return [
            self._masks([frames[:, number] for frames in features], pair)
            for number, pair in enumerate(torch.split(mix_stft, 2))
        ]

    def _masks(self, features: Sequence[Tensor], mix_stft: Tensor) -> Iterator[Tensor]:
        """Yield the masks of a pair for consecutive bins, (nb_targets, 2, nb_frames, BINS_AT_ONCE)."""
        groups = zip(*(net.masks(part) for net, part in zip(self._networks, features, strict=True)), strict=True)
        if self._settings.nb_channels == 2:
            yield from (torch.stack(group) for group in groups)
        else:  # mono: the mask refers to the channels' mean, so it is rescaled to each channel's magnitude
            magnitudes = power(mix_stft).sqrt_()
            ratios = self._to_network_channels(magnitudes) / magnitudes.clamp(min=torch.finfo(torch.float32).tiny)
            for group, ratio in zip(groups, torch.split(ratios, BINS_AT_ONCE, -1), strict=True):
                yield torch.stack(group) * ratio

    def _to_network_channels(self, magnitudes: Tensor) -> Tensor:
        """Convert a pair's magnitudes (2, nb_frames, nb_bins) to the network's channels; mono: their mean."""
        return magnitudes.mean(0, keepdim=True) if self._settings.nb_channels == 1 else magnitudes

    def _recur(self, network: Network, features: Scratch, nb_frames: int) -> Iterator[float]:
        """Run the LSTM layers of one network; yield the progress, 0 to 1."""
        with ExitStack() as stack:
            workspace = Workspace(self._workspace.nb_pairs, self._workspace.folder, self._workspace.pool, stack)
            half = network.hidden_size // 2
            buffers = [[workspace.sequence(half) for _direction in range(2)] for _layer in range(2)]
            inputs = [features]
            for depth, (layer, outputs) in enumerate(zip(network.layers, cycle(buffers), strict=False)):
                for nb_done in run_layer(layer, inputs, outputs, nb_frames, self._workspace.pool):
                    yield (depth + nb_done / nb_frames) / len(network.layers)
                inputs = outputs
            starts = ((network, features, inputs, start, nb_frames) for start in range(0, nb_frames, FRAMES_AT_ONCE))
            for _ in self._workspace.pool.in_order(_decode_block, starts):
                pass


@torch.inference_mode()
def _decode_block(
    network: Network, features: Scratch, recurrent: Sequence[Scratch], start: int, nb_frames: int
) -> None:
    """Replace a block of features by the decoded features, which also depend on the last LSTM layer's output."""
    stop = min(start + FRAMES_AT_ONCE, nb_frames)
    encoded, layered = (read_joined(part, start, stop).to(network.device) for part in ([features], recurrent))
    features.write(start, network.decode(encoded, layered))
