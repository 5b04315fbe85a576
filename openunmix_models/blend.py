"""A blend: a model whose masks are the weighted mean of other models' masks on the same STFT.

The first and the third pass read the signal once for all models.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from .errors import InputError
from .masks import MaskEstimator, Model, Progress, Workspace
from .settings import Settings


class BlendModel(Model):
    """Models with the share of each; the shares add up to 1. Raises InputError if their STFTs differ."""

    def __init__(self, parts: Sequence[tuple[Model, float]]):
        models = [model for model, _ in parts]
        check_settings([model.settings for model in models])
        self.parts = parts
        self.settings = replace(models[0].settings, niter=0)
        self.device = models[0].device
        longest = max(models, key=lambda model: model.nb_frames)  # models whose windows overlap all have the same
        self.nb_frames, self.overlap = longest.nb_frames, longest.overlap
        first, second, third = (sum(seconds) for seconds in zip(*(model.pass_seconds for model in models), strict=True))
        self.pass_seconds = first, second, third

    def estimator(self, targets: Sequence[str], workspace: Workspace) -> "BlendEstimator":
        return BlendEstimator([(model.estimator(targets, workspace), share) for model, share in self.parts])

    def scratch_bytes(self, targets: Sequence[str]) -> tuple[int, int]:
        lasting, passing = zip(*(model.scratch_bytes(targets) for model, _ in self.parts), strict=True)
        return sum(lasting), max(passing)


class BlendEstimator(MaskEstimator):
    """The masks of one signal."""

    def __init__(self, parts: Sequence[tuple[MaskEstimator, float]]):
        self._parts = [part for part, _ in parts]
        self._shares = [share for _, share in parts]

    def encode(self, start: int, magnitudes: Tensor) -> list[object]:
        return [part.encode(start, magnitudes) for part in self._parts]

    def store(self, start: int, encoded: list[object]) -> None:
        for part, of_part in zip(self._parts, encoded, strict=True):
            part.store(start, of_part)

    def finish(self, nb_frames: int, progress: Progress) -> None:
        for number, part in enumerate(self._parts):
            part.finish(nb_frames, _part_progress(progress, number, len(self._parts)))

    def masks(self, start: int, mix_stft: Tensor) -> list[Iterator[Tensor]]:
        of_parts = (part.masks(start, mix_stft) for part in self._parts)
        return [self._mean(pair) for pair in zip(*of_parts, strict=True)]

    def _mean(self, parts: Sequence[Iterator[Tensor]]) -> Iterator[Tensor]:
        for masks in zip(*parts, strict=True):
            mean = masks[0] * self._shares[0]
            for mask, share in zip(masks[1:], self._shares[1:], strict=True):
                mean.add_(mask, alpha=share)
            yield mean


def _part_progress(progress: Progress, number: int, nb_parts: int) -> Progress:
    return lambda done: progress((number + done) / nb_parts)


def check_settings(settings: Sequence[Settings]) -> None:
    """Raise InputError if the models cannot be blended because their STFTs differ."""
    stfts = {(one.sample_rate, one.n_fft, one.n_hop) for one in settings}
    if len(stfts) > 1:
        described = " and ".join(f"{n_fft}/{n_hop} at {rate} Hz" for rate, n_fft, n_hop in sorted(stfts))
        raise InputError(f"These models cannot be blended: their STFTs differ ({described}).")
