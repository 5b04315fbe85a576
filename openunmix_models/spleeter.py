"""Spleeter's 2stems model (Hennequin et al., JOSS 2020, see `unet`): vocals and accompaniment.

There is one network for each source, and the mask is the ratio of their squared estimates. A network takes segments of
512 frames. Spleeter's segments are adjacent; here they overlap, and their masks are cross-faded to avoid audible seams.
Spleeter processes a recording as it is; here each segment is scaled to INPUT_LEVEL, because the networks were trained
on loud music and lose the voices of quiet recordings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad

from .checkpoints import load_network
from .input_level import gain_to
from .masks import BINS_AT_ONCE, MaskEstimator, Model, Progress, Workspace
from .settings import Settings, damaged
from .unet import UNet
from .weights import ACCOMPANIMENT, weights_file

VOCALS = "vocals"
STFT = (44100, 4096, 1024, 2)  # rate, n_fft, n_hop and nb_channels that the networks were trained with
NB_FRAMES, NB_BINS = 512, 1024  # of a segment: 11.9 s, and the frequencies below 11 kHz
OVERLAP = 32  # frames
INPUT_LEVEL = -16.0  # dB relative to full scale, root mean square; the card of the model says why


@dataclass(frozen=True)
class Spleeter(Model):
    """The networks of both sources."""

    vocals: UNet
    accompaniment: UNet
    settings: Settings
    device: str
    nb_frames, overlap = NB_FRAMES, OVERLAP
    pass_seconds = (5.0, 0.0, 1.0)

    def estimator(self, targets: Sequence[str], workspace: Workspace) -> "SpleeterEstimator":
        return SpleeterEstimator(self, targets, workspace)

    def scratch_bytes(self, targets: Sequence[str]) -> tuple[int, int]:
        """The masks in half precision."""
        return 2 * 2 * NB_BINS, 0

    def mask(self, magnitudes: Tensor) -> Tensor:
        """Compute the vocals' mask for a segment: the squared vocals estimate over the sum of both squared estimates.

        Args:
            magnitudes: of the mixture, (nb_pairs, nb_channels=2, NB_FRAMES, NB_BINS).
        Returns:
            the same shape, 0 to 1; the accompaniment's mask is 1 minus this one.
        """
        vocals = self.vocals(magnitudes).square_()
        return vocals / (self.accompaniment(magnitudes).square_() + vocals).clamp_(min=torch.finfo(torch.float32).tiny)


def load_spleeter(folder: Path, settings: Settings, device: str) -> Spleeter:
    """Load a Spleeter model.

    Args:
        folder: folder of the model.
        settings: its settings, from `separator.json`; they must be those of Spleeter's 2stems model.
        device: "cpu" or "cuda".
    Raises:
        WeightsError: a file is missing or damaged; names the file.
    """
    if (settings.sample_rate, settings.n_fft, settings.n_hop, settings.nb_channels) != STFT:
        raise damaged(folder / "separator.json")
    vocals, accompaniment = (
        load_network(weights_file(folder, target), UNet).to(device) for target in (VOCALS, ACCOMPANIMENT)
    )
    return Spleeter(vocals, accompaniment, settings, device)


class SpleeterEstimator(MaskEstimator):
    """The masks of one signal. Only the vocals' mask is stored; the accompaniment's is 1 minus it."""

    def __init__(self, model: Spleeter, targets: Sequence[str], workspace: Workspace):
        self._model, self._targets = model, targets
        self._vocals = workspace.sequence(2, NB_BINS, half=True)
        self._fade_in = ((torch.arange(OVERLAP) + 0.5) / OVERLAP)[:, None, None, None]
        self._last: Tensor | None = None  # last frames of the previous segment

    def encode(self, start: int, magnitudes: Tensor) -> Tensor:
        """Compute the vocals' mask of a segment, (nb_frames, nb_pairs, 2, NB_BINS); a short last one is zero-padded."""
        nb_frames = magnitudes.shape[1]
        masks = [self._model.mask(_segment(pair)[None]) for pair in torch.split(magnitudes, 2)]
        # (nb_pairs, 2, nb_frames, NB_BINS) to (nb_frames, nb_pairs, 2, NB_BINS)
        return torch.cat(masks)[:, :, :nb_frames].permute(2, 0, 1, 3).cpu()

    @torch.inference_mode()
    def store(self, start: int, encoded: Tensor) -> None:
        """Cross-fade from the previous segment and write all frames; the next segment overwrites the last ones.

        `encoded` is the result of `encode`, (nb_frames, nb_pairs, 2, NB_BINS).
        """
        if self._last is not None:
            encoded[:OVERLAP] = torch.lerp(self._last, encoded[:OVERLAP], self._fade_in)
        self._last = encoded[-OVERLAP:].clone()
        self._vocals.write(start, encoded)

    def finish(self, nb_frames: int, progress: Progress) -> None:
        """Do nothing: there is no second pass."""

    def masks(self, start: int, mix_stft: Tensor) -> list[Iterator[Tensor]]:
        nb_frames, nb_bins = mix_stft.shape[1:]
        stored = self._vocals.read(start, start + nb_frames).to(mix_stft.device)
        return [self._masks(pair.transpose(0, 1), nb_bins) for pair in stored.unbind(1)]

    def _masks(self, vocals: Tensor, nb_bins: int) -> Iterator[Tensor]:
        """Yield the masks of consecutive bins; above NB_BINS, each frame's mask is the mean of its bins below."""
        treble = vocals.mean(-1, keepdim=True).expand(-1, -1, BINS_AT_ONCE)
        for start in range(0, nb_bins, BINS_AT_ONCE):
            bins = vocals[..., start : start + BINS_AT_ONCE] if start < NB_BINS else treble[..., : nb_bins - start]
            yield torch.stack([bins if target == VOCALS else 1 - bins for target in self._targets])


def _segment(magnitudes: Tensor) -> Tensor:
    """The networks' input for a pair's magnitudes (2, nb_frames, nb_bins), (2, NB_FRAMES, NB_BINS)."""
    scaled = magnitudes[..., :NB_BINS] * gain_to(INPUT_LEVEL, magnitudes)
    return pad(scaled, (0, 0, 0, NB_FRAMES - magnitudes.shape[1]))
