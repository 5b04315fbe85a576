"""One file into its stems: read, separate with Open-Unmix's Separator, write. The whole file is held in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from openunmix.model import Separator

from .errors import DiskError, InputError
from .network import Model

_BITS = {"PCM_U8": 8, "PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}


@dataclass(frozen=True)
class Options:
    """What to estimate and how; the names are those of the command's arguments. `start` and `duration` in seconds."""

    targets: Sequence[str]
    residual: str | None = None
    niter: int = 1
    wiener_win_len: int | None = 300
    ext: str = ".wav"
    start: float = 0.0
    duration: float | None = None
    aggregate: Mapping[str, Sequence[str]] | None = None


def separate(path: Path, outdir: Path, model: Model, options: Options, progress: Callable[[float], None]) -> list[Path]:
    """Write `<outdir>/<stem><ext>` for each stem of the audio file `path`, in its rate, subtype and channels.

    `progress` is called with the part that is done, 0 to 1. Raises InputError, DiskError.
    """
    mixture, rate, subtype = _read(path, options)
    progress(0.0)
    estimates = _estimates(_unit(mixture), rate, model, options)
    progress(0.9)
    stems = {name: _like(mixture, estimate, subtype) for name, estimate in estimates.items()}
    if options.residual and not options.aggregate:
        rest = mixture.astype(np.result_type(mixture, np.int64) if mixture.dtype == np.int32 else np.float64)
        for name in options.targets:
            rest = rest - stems[name]
        stems[options.residual] = _fit(rest, mixture.dtype)
    paths = _write(stems, outdir, options.ext, rate, subtype)
    progress(1.0)
    return paths


def _read(path: Path, options: Options) -> tuple[np.ndarray, int, str]:
    """Samples of shape (nb_channels, nb_samples): int32, left-aligned, for PCM; float64 else."""
    try:
        with soundfile.SoundFile(path) as file:
            file.seek(min(int(options.start * file.samplerate), file.frames))
            whole = options.duration is None or options.duration < 0
            frames = -1 if whole else int(options.duration * file.samplerate)
            dtype = "int32" if file.subtype in _BITS else "float64"
            return file.read(frames, dtype=dtype, always_2d=True).T, file.samplerate, file.subtype
    except (soundfile.LibsndfileError, OSError):
        raise InputError(f"{path.name} cannot be read as audio.") from None


def _estimates(mixture: np.ndarray, rate: int, model: Model, options: Options) -> dict[str, np.ndarray]:
    nb_channels, nb_samples = mixture.shape
    if nb_samples == 0 or not np.isfinite(mixture).all():
        raise InputError("The file holds no audio, or samples that are not numbers.")
    separator = Separator(
        model.networks,
        niter=options.niter,
        residual=bool(options.residual),
        sample_rate=model.sample_rate,
        n_fft=model.n_fft,
        n_hop=model.n_hop,
        nb_channels=model.nb_channels,
        wiener_win_len=options.wiener_win_len,
    ).to(model.device)
    separator.freeze()
    groups = [mixture[c : c + 2] for c in range(0, nb_channels, 2)]
    parts = [_separate_pair(pair, rate, separator, model, options) for pair in groups]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _separate_pair(pair: np.ndarray, rate: int, separator: Separator, model: Model, options: Options) -> dict:
    nb_channels, nb_samples = pair.shape
    audio = soxr.resample(pair.T, rate, model.sample_rate, quality="VHQ").T
    wide = np.zeros((2, max(audio.shape[1], model.n_fft)), dtype=np.float32)
    wide[:, : audio.shape[1]] = audio
    with torch.inference_mode():
        out = separator(torch.from_numpy(wide)[None].to(model.device))
        named = separator.to_dict(out)
    if options.residual:
        named[options.residual] = named.pop("residual")
    if options.aggregate:
        named = {name: sum(named[part] for part in parts) for name, parts in options.aggregate.items()}
    stems = {}
    for name, estimate in named.items():
        y = estimate[0, :, : audio.shape[1]].cpu().numpy()
        y = soxr.resample(y.T, model.sample_rate, rate, quality="VHQ").T[:, :nb_samples]
        y = np.pad(y, ((0, 0), (0, nb_samples - y.shape[1])))
        stems[name] = y.mean(axis=0, keepdims=True) if nb_channels == 1 else y
    return stems


def _unit(mixture: np.ndarray) -> np.ndarray:
    """Full scale is 1."""
    return mixture / 2.0**31 if mixture.dtype == np.int32 else mixture


def _like(mixture: np.ndarray, estimate: np.ndarray, subtype: str) -> np.ndarray:
    """The estimate as it will be read back from a file of this subtype, in the mixture's dtype."""
    if mixture.dtype != np.int32:
        return estimate.astype(np.float64 if subtype == "DOUBLE" else np.float32).astype(np.float64)
    step = 2 ** (32 - _BITS[subtype])
    return _fit(np.rint(estimate * (2.0**31 / step)).astype(np.int64) * step, mixture.dtype, step)


def _fit(samples: np.ndarray, dtype: np.dtype, step: int = 1) -> np.ndarray:
    return samples.clip(-(2**31), 2**31 - step).astype(dtype) if dtype == np.int32 else samples


def _write(stems: dict[str, np.ndarray], outdir: Path, ext: str, rate: int, subtype: str) -> list[Path]:
    paths = [outdir / f"{name}{ext}" for name in stems]
    try:
        outdir.mkdir(parents=True, exist_ok=True)
        for path, samples in zip(paths, stems.values(), strict=True):
            part = path.with_name(f".{path.name}")
            soundfile.write(part, samples.T, rate, _subtype(ext, subtype), format=ext[1:].upper())
            part.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise DiskError(f"The stems cannot be written: {error}") from None
    return paths


def _subtype(ext: str, subtype: str) -> str:
    formats = soundfile.available_subtypes(ext[1:].upper())
    return subtype if subtype in formats else "PCM_16"
