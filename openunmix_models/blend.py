"""A blend: a model whose masks are the weighted mean of other models' masks on the same STFT.

The mask of a target is the mean over the models that have this target, and the Wiener filter's exponent is the weighted
mean of theirs. The first and the third pass read the signal once for all models.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .errors import InputError
from .masks import MaskEstimator, Model, Progress, Workspace
from .settings import Settings


@dataclass(frozen=True)
class Part:
    """One model of a blend, the targets that it estimates, and its share. Shares count relative to each other."""

    model: Model
    targets: Sequence[str]
    share: float

    def of(self, targets: Sequence[str]) -> list[str]:
        """Return those of `targets` that this model estimates."""
        return [target for target in targets if target in self.targets]


class BlendModel(Model):
    """Several models as one. Raises InputError if their STFTs differ."""

    def __init__(self, parts: Sequence[Part]):
        models = [part.model for part in parts]
        check_settings([model.settings for model in models])
        self.parts = parts
        exponent = sum(part.share * part.model.settings.wiener_exponent for part in parts)
        self.settings = replace(models[0].settings, wiener_exponent=exponent / sum(part.share for part in parts))
        self.device = models[0].device
        longest = max(models, key=lambda model: model.nb_frames)  # models whose windows overlap all have the same
        self.nb_frames, self.overlap = longest.nb_frames, longest.overlap
        first, second, third = (sum(seconds) for seconds in zip(*(model.pass_seconds for model in models), strict=True))
        self.pass_seconds = first, second, third

    def estimator(self, targets: Sequence[str], workspace: Workspace) -> "BlendEstimator":
        return BlendEstimator([part for part in self.parts if part.of(targets)], targets, workspace)

    def scratch_bytes(self, targets: Sequence[str]) -> tuple[int, int]:
        sizes = [part.model.scratch_bytes(own) for part in self.parts if (own := part.of(targets))]
        lasting, passing = zip(*sizes, strict=True)
        return sum(lasting), max(passing)


@dataclass(frozen=True)
class _Term:
    """A term of a target's weighted mean: a mask of one of the estimators, times a weight."""

    estimator: int
    mask: int  # its place among the masks of that estimator
    weight: float


class BlendEstimator(MaskEstimator):
    """The masks of one signal. Each part estimates at least one of `targets`."""

    def __init__(self, parts: Sequence[Part], targets: Sequence[str], workspace: Workspace):
        self._estimators = [part.model.estimator(part.of(targets), workspace) for part in parts]
        self._means = [_terms(parts, targets, target) for target in targets]

    def encode(self, start: int, magnitudes: Tensor) -> list[object]:
        return [estimator.encode(start, magnitudes) for estimator in self._estimators]

    def store(self, start: int, encoded: list[object]) -> None:
        for estimator, of_estimator in zip(self._estimators, encoded, strict=True):
            estimator.store(start, of_estimator)

    def finish(self, nb_frames: int, progress: Progress) -> None:
        for number, estimator in enumerate(self._estimators):
            estimator.finish(nb_frames, _part_progress(progress, number, len(self._estimators)))

    def masks(self, start: int, mix_stft: Tensor) -> list[Iterator[Tensor]]:
        of_estimators = (estimator.masks(start, mix_stft) for estimator in self._estimators)
        return [self._blended(pair) for pair in zip(*of_estimators, strict=True)]

    def _blended(self, of_estimators: Sequence[Iterator[Tensor]]) -> Iterator[Tensor]:
        for masks in zip(*of_estimators, strict=True):
            yield torch.stack([_mean(terms, masks) for terms in self._means])


def _terms(parts: Sequence[Part], targets: Sequence[str], target: str) -> list[_Term]:
    """Return the terms of the weighted mean for `target`, whose weights add up to 1."""
    having = [(number, part) for number, part in enumerate(parts) if target in part.targets]
    total = sum(part.share for _, part in having)
    return [_Term(number, part.of(targets).index(target), part.share / total) for number, part in having]


def _mean(terms: Sequence[_Term], masks: Sequence[Tensor]) -> Tensor:
    """Compute a weighted mean of masks; `masks` has those of each estimator."""
    first, *others = terms
    mean = masks[first.estimator][first.mask] * first.weight
    for term in others:
        mean.add_(masks[term.estimator][term.mask], alpha=term.weight)
    return mean


def _part_progress(progress: Progress, number: int, nb_parts: int) -> Progress:
    return lambda done: progress((number + done) / nb_parts)


def check_settings(settings: Sequence[Settings]) -> None:
    """Raise InputError if the models cannot be blended because their STFTs differ."""
    stfts = {(one.sample_rate, one.n_fft, one.n_hop) for one in settings}
    if len(stfts) > 1:
        described = " and ".join(f"{n_fft}/{n_hop} at {rate} Hz" for rate, n_fft, n_hop in sorted(stfts))
        raise InputError(f"These models cannot be blended: their STFTs differ ({described}).")
