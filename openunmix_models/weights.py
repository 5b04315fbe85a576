"""Models by name: where a model's files lie. Never imports torch, so that a missing model is told at once."""

import json
from collections.abc import Sequence
from pathlib import Path

from .errors import InputError, WeightsError

MODELS = Path(__file__).parent


def model_folder(model: str) -> Path:
    """The folder of `model`: a path to a folder in Open-Unmix's format, or the name of one beside this module."""
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if Path(model).name == model and (MODELS / model / "separator.json").is_file():
        return MODELS / model
    raise WeightsError(f"There is no model called {model}, and no folder of that name.")


def model_targets(folder: Path) -> list[str]:
    """The targets that the model in `folder` can estimate."""
    return sorted(path.stem for path in folder.glob("*.json") if path.stem != "separator")


def check_model(folder: Path, targets: Sequence[str]) -> None:
    """Raise InputError for a target that the model does not know, WeightsError for a file that is not there."""
    for target in targets:
        if target not in model_targets(folder):
            raise InputError(f"The model {folder.name} has no target {target}.")
        weights_file(folder, target)
    json.loads((folder / "separator.json").read_text())


def weights_file(folder: Path, target: str) -> Path:
    """`<target>.pth` or, as torch hub names it, `<target>-<hash>.pth`. Raises WeightsError."""
    exact = folder / f"{target}.pth"
    for path in [exact, *sorted(folder.glob(f"{target}-*.pth"))]:
        if path.is_file():
            return path
    raise WeightsError(f"{exact} is missing.")
