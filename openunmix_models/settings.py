"""Read the settings of a model from its separator.json. Never imports torch.

Open-Unmix's own format has sample_rate, nfft, nhop and nb_channels. Here a file may also state `kind` ("spleeter" or
"blend"; without it, the model is of Open-Unmix), `niter` and `wiener_exponent`, the Wiener filter's iterations and
exponent that suit one target best (without them, 1 and 2, as in Open-Unmix), `input_levels`, the level in dB that each
target's network works best at (without one, it receives the recording as it is), and of a blend `models`, the share of
each by name.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from .errors import WeightsError

OPEN_UNMIX, SPLEETER, BLEND = "open-unmix", "spleeter", "blend"
MAX_SAMPLE_RATE = 768_000  # Hz
MAX_NITER = 100
LOWEST_LEVEL = -100  # dB


@dataclass(frozen=True)
class Settings:
    """What a model's networks were trained for: `sample_rate` in Hz, `n_fft` and `n_hop` in samples, channels; what
    suits them best: the Wiener filter's `niter` and exponent (see `wiener`), and by target the root mean square of the
    input in dB relative to full scale (see `input_level`)."""

    sample_rate: int
    n_fft: int
    n_hop: int
    nb_channels: int
    kind: str = OPEN_UNMIX
    niter: int = 1
    wiener_exponent: float = 2.0
    input_levels: Mapping[str, float] = field(default_factory=dict)


def read_settings(folder: Path) -> Settings:
    """Read the settings of the model in `folder`. Raises WeightsError for missing or invalid ones."""
    path = folder / "separator.json"
    content = read_json(path)
    try:
        kind, niter = content.get("kind", OPEN_UNMIX), content.get("niter", 1)
        exponent, levels = content.get("wiener_exponent", 2.0), content.get("input_levels", {})
        rate, n_fft, n_hop, nb_channels = (int(content[key]) for key in ("sample_rate", "nfft", "nhop", "nb_channels"))
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise damaged(path) from None
    if not (0 < rate <= MAX_SAMPLE_RATE and 0 < n_hop <= n_fft // 2 and n_fft % 2 == 0 and nb_channels in (1, 2)):
        raise damaged(path)
    if kind not in (OPEN_UNMIX, SPLEETER) or type(niter) is not int or not 0 <= niter <= MAX_NITER:
        raise damaged(path)
    if not (_is_finite(exponent) and 0 < exponent <= 2):
        raise damaged(path)
    if not isinstance(levels, dict) or not all(_is_level(level) for level in levels.values()):
        raise damaged(path)
    return Settings(rate, n_fft, n_hop, nb_channels, kind, niter, exponent, levels)


def read_shares(folder: Path) -> dict[str, float] | None:
    """Read the share of each model by name if `folder` holds a blend, else return None. Raises WeightsError."""
    path = folder / "separator.json"
    content = read_json(path)
    if not isinstance(content, dict) or content.get("kind") != BLEND:
        return None
    shares = content.get("models")
    if not isinstance(shares, dict) or not shares or not all(is_share(share) for share in shares.values()):
        raise damaged(path)
    return {name: float(share) for name, share in shares.items()}


def is_share(share: object) -> bool:
    """Return whether a value is a positive, finite number."""
    return _is_finite(share) and share > 0


def _is_level(level: object) -> bool:
    return _is_finite(level) and LOWEST_LEVEL <= level <= 0


def _is_finite(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def read_json(path: Path) -> Any:
    """Parse a JSON file of a model. Raises WeightsError."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        raise WeightsError(f"{path.parent.name}/{path.name} is missing or damaged.") from None


def damaged(path: Path) -> WeightsError:
    """Create the exception for a file with invalid content."""
    return WeightsError(f"{path.parent.name}/{path.name} is damaged.")
