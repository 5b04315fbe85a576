"""Models by name: what is known of them, where their files lie, and how these come there. Never imports torch.

A model is a folder in Open-Unmix's own format: separator.json, and for each target <target>.json and
<target>.pth or <target>-<hash>.pth.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from .errors import DiskError, InputError, WeightsError

MODELS = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Published:
    """A model whose weights are published: `files` by target, each named with the first digits of its SHA-256."""

    description: str
    licence: str
    record: str
    hidden_size: int
    nb_bytes: int  # of one target, about
    files: Mapping[str, str]
    sha256: Mapping[str, str] = field(default_factory=dict)  # by target, whole, in hexadecimal, where it is known


# Addresses and hashes are those of openunmix 1.3.0, `openunmix/__init__.py`; n_fft and the like are the same for all.
PUBLISHED = {
    "umx": Published(
        description="The thesis's choice: Open-Unmix, trained on MUSDB18, up to 16 kHz; quick",
        licence="MIT, as its packagers state it; the record's page decides",
        record="https://zenodo.org/records/3370486",
        hidden_size=512,
        nb_bytes=35_600_000,
        files={
            "vocals": "vocals-c8df74a5.pth",
            "drums": "drums-5a48008b.pth",
            "bass": "bass-646024d3.pth",
            "other": "other-f8e132cc.pth",
        },
    ),
    "umxhq": Published(
        description="Open-Unmix, trained on MUSDB18-HQ, all frequencies; as good as umx, as quick",
        licence="MIT, as its packagers state it; the record's page decides",
        record="https://zenodo.org/records/3370489",
        hidden_size=512,
        nb_bytes=35_600_000,
        files={
            "vocals": "vocals-b62c91ce.pth",
            "drums": "drums-9619578f.pth",
            "bass": "bass-8d85a5bd.pth",
            "other": "other-b52fbbf7.pth",
        },
        # As a project that fetched them states them, others alike for vocals and drums; all begin as the names say.
        sha256={
            "vocals": "b62c91cedbc7a066f1778ead5b5cecb377aa3a46a31af1cce7c5c8769339d083",
            "drums": "9619578f885c54737cb0234f9f9a4a679ee4f31438fd77fd1dbe02bb16c2da0a",
            "bass": "8d85a5bd3f996a8867fca0e8442e077e5a3f5ec747a6112742452a8f347b39c8",
            "other": "b52fbbf76479e752bd72e02304c602ac7802aa5bfbfb9cd12054b2695d5093ab",
        },
    ),
    "umxl": Published(
        description="Open-Unmix, larger, trained on extra data: the best of the three, and the slowest",
        licence="CC BY-NC-SA 4.0: not for commercial use",
        record="https://zenodo.org/records/5069601",
        hidden_size=1024,
        nb_bytes=113_000_000,
        files={
            "vocals": "vocals-bccbd9aa.pth",
            "drums": "drums-69e0ebd4.pth",
            "bass": "bass-2ca1ce51.pth",
            "other": "other-c8c5b3e6.pth",
        },
    ),
}
BOLD = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
LICENCE = re.compile(r"^Licen[cs]e: ([^,.\n]+)", re.MULTILINE)
NAME = re.compile(r"\w[\w.-]*")  # of a folder that can be called by its name
SEPARATOR = {"sample_rate": 44100.0, "nfft": 4096, "nhop": 1024, "nb_channels": 2}


@dataclass(frozen=True)
class Status:
    """What `list` tells of a model, as far as the targets in question go.

    `missing` are those of its targets that are not on the disk, each with the bytes to fetch; 0 if nobody has them.
    """

    name: str
    description: str
    licence: str
    targets: list[str]
    on_disk: bool
    bytes_to_fetch: int
    missing: Mapping[str, int]


def model_folder(model: str) -> Path:
    """The folder of `model`, a path or a name; that of a published model may not be there yet. Raises WeightsError."""
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


def model_targets(folder: Path) -> list[str]:
    """All targets that the model in `folder` can estimate."""
    if published := _published(folder):
        return list(published.files)
    return sorted(path.stem for path in folder.glob("*.json") if path.stem != "separator")


def weights_file(folder: Path, target: str) -> Path:
    """`<target>.pth` or, as torch hub names it, `<target>-<hash>.pth`. Raises WeightsError."""
    for path in [folder / f"{target}.pth", *sorted(folder.glob(f"{target}-*.pth"))]:
        if path.is_file():
            return path
    raise WeightsError(f"{folder.name}/{target}.pth is missing.")


def have_weights(folder: Path, targets: Sequence[str], offline: bool = False) -> None:
    """See to it that the files for `targets` are in `folder`: fetch those of a published model unless `offline`.

    Raises InputError for a target that the model does not have, WeightsError, DiskError.
    """
    known, published = model_targets(folder), _published(folder)
    for target in targets:
        if target not in known:
            has = ", ".join(known) or "none"
            raise InputError(f"{folder.name} has no target {target} ({target}.json); its targets: {has}.")
    missing = _missing(folder, targets)
    if missing and not published:
        weights_file(folder, missing[0])
    if missing and offline:
        raise WeightsError(
            f"{folder.name} is not on this disk ({', '.join(missing)}), and --offline forbids to fetch it."
        )
    if missing:
        _fetch(folder, published, targets)


def model_statuses(targets: Sequence[str] | None = None) -> list[Status]:
    """Every model known by name, published or in a folder beside this module; `targets` None: all of each."""
    local = sorted(path.parent.name for path in MODELS.glob("*/separator.json"))
    return [_status(name, targets) for name in dict.fromkeys([*PUBLISHED, *filter(NAME.fullmatch, local)])]


def _status(name: str, targets: Sequence[str] | None) -> Status:
    published, known = PUBLISHED.get(name), model_targets(MODELS / name)
    missing = dict.fromkeys(_missing(MODELS / name, targets or known), published.nb_bytes if published else 0)
    description, licence = (published.description, published.licence) if published else _card(MODELS / name)
    return Status(name, description, licence, known, not missing, sum(missing.values()), missing)


def _card(folder: Path) -> tuple[str, str]:
    """What the model's README.md says of it: the first sentence in bold, and its licence."""
    try:
        card = (folder / "README.md").read_text("utf-8", "replace")
    except OSError:
        card = ""
    bold, licence = BOLD.search(card), LICENCE.search(card)
    sentence = " ".join(bold[1].split()).rstrip(".") if bold else "A model put here by hand"
    return sentence[:1].upper() + sentence[1:], licence[1] if licence else "not known"


def _published(folder: Path) -> Published | None:
    return PUBLISHED.get(folder.name) if folder.parent == MODELS else None


def _missing(folder: Path, targets: Sequence[str]) -> list[str]:
    """Those of `targets` whose weights are not there. A file comes under its name only when it is whole."""
    return [target for target in targets if not _has_weights(folder, target)]


def _has_weights(folder: Path, target: str) -> bool:
    try:
        return weights_file(folder, target).is_file()
    except WeightsError:
        return False


def _fetch(folder: Path, published: Published, targets: Sequence[str]) -> None:
    """Fetch what is missing; a second process waits for the first and then finds it done."""
    from .download import locked, reach  # not needed, and so not paid for, when the weights are there

    def wait() -> None:
        print(f"waiting for another process that fetches {folder.name}", file=sys.stderr)

    reach(published.record)
    with locked(folder / ".lock", wait):
        missing = _missing(folder, targets)
        if missing:
            print(f"{folder.name}: {published.licence} ({published.record})", file=sys.stderr)
            _write_settings(folder, published, missing)
            _fetch_weights(folder, published, missing)


def _write_settings(folder: Path, published: Published, targets: Sequence[str]) -> None:
    args = {key: SEPARATOR[key] for key in ("nfft", "nhop", "nb_channels")} | {"hidden_size": published.hidden_size}
    try:
        for target in targets:
            _replace_json(folder / f"{target}.json", {"args": args})
        _replace_json(folder / "separator.json", SEPARATOR)
    except OSError as error:
        raise DiskError(f"The folder {folder.name} cannot be written to: {error.strerror}.") from None


def _replace_json(path: Path, value: dict) -> None:
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


def _advance(bar, before: int, after: int, here: int, size: int) -> None:
    """Show `here` of a file's `size` bytes, with `before` bytes fetched before it and about `after` to come."""
    bar.total = before + size + after
    bar.update(before + here - bar.n)
