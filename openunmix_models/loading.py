"""Load a model of any kind: Open-Unmix, Spleeter, or a blend."""

from collections.abc import Sequence
from pathlib import Path

from .blend import BlendModel, Part
from .masks import Model
from .open_unmix import load_open_unmix
from .settings import SPLEETER, read_settings
from .spleeter import load_spleeter
from .weights import Blend


def load_model(model: Path | Blend, targets: Sequence[str], device: str) -> Model:
    """Load a model.

    Args:
        model: folder of the model, or a blend of such folders.
        targets: names of the targets to estimate.
        device: "cpu" or "cuda".
    Raises:
        WeightsError: a file is missing or damaged; names the file.
        InputError: the models of a blend have different STFTs.
    """
    if isinstance(model, Blend):
        parts = model.parts_with(targets)
        return BlendModel([Part(load_model(folder, own, device), own, share) for folder, own, share in parts])
    settings = read_settings(model)
    if settings.kind == SPLEETER:
        return load_spleeter(model, settings, device)
    return load_open_unmix(model, settings, targets, device)
