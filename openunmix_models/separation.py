"""Separate an audio file into stem files of the same sample rate, subtype and number of channels.

`estimation` computes the estimates. This module quantises them, subtracts them from the mixture for the residual, and
writes the stems.
"""

import math
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import reduce
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import soundfile

from .errors import DiskError, InputError, is_out_of_memory
from .estimation import Refinement, Signal, estimate, scratch_bytes
from .masks import Model
from .resampling import resampled
from .soundfiles import Encoding, Mixture, MixtureReader, StemFiles, encoding_for


@dataclass(frozen=True)
class Options:
    """What to estimate and how; the names are those of the command's arguments. `start` and `duration` in seconds.

    `wiener_win_len` None or 0 is one window over the whole file, in memory that grows with it. The stem `remainder`
    also gets what all the other stems leave of the mixture, so that they add up to it exactly.
    """

    targets: Sequence[str]
    residual: str | None = None
    niter: int = 1
    wiener_win_len: int | None = 300
    ext: str = ".wav"
    start: float = 0.0
    duration: float | None = None
    aggregate: Mapping[str, Sequence[str]] | None = None
    remainder: str | None = None

    @property
    def sources(self) -> list[str]:
        """The targets and, if requested, the residual."""
        return [*self.targets, *([self.residual] if self.residual else [])]

    @property
    def stems(self) -> Mapping[str, Sequence[str]]:
        """The sources that each stem is the sum of."""
        return self.aggregate or {name: [name] for name in self.sources}


@dataclass(frozen=True)
class Outcome:
    """What became of the stems: the names of those that were clipped, and by how much all were lowered, in dB."""

    clipped: set[str]
    decibels: float


def separate(path: Path, outdir: Path, model: Model, options: Options, progress: Callable[[float], None]) -> list[Path]:
    """Write `<outdir>/<stem><ext>` for each stem of the audio file `path`, in its rate, subtype and channels.

    Args:
        path: audio file.
        outdir: folder of the stems, which is created.
        model: loaded model.
        options: what to estimate, and how.
        progress: called with the progress, 0 to 1; an exception that it raises cancels the separation.
    Returns:
        the paths of the stems.
    Raises:
        InputError: the options are contradictory, or the file cannot be read or has invalid samples.
        DiskError: the stems cannot be written. No stem is left behind after any exception.
    """
    if len(options.targets) == 1 and not options.residual and options.niter > 0:
        raise InputError("The Wiener filter needs at least two sources: add a residual, or set niter to 0.")
    mixture = Mixture(path, options.start, options.duration)
    encoding = encoding_for(mixture, options.ext)
    signal = _signal(mixture, model.settings.sample_rate)
    with _disk_errors():
        outdir.mkdir(parents=True, exist_ok=True)
        stem_bytes = len(options.stems) * mixture.nb_samples * mixture.nb_channels * encoding.bytes_a_sample
        features, layers = scratch_bytes(signal, model, options.targets)
        _check_disk_space(outdir, features + max(layers, stem_bytes))
        refinement = Refinement(options.niter, bool(options.residual), options.wiener_win_len)
        with (
            closing(estimate(signal, model, options.targets, refinement, outdir, progress)) as estimates,
            StemFiles(outdir, list(options.stems), options.ext, encoding, mixture) as files,
        ):
            blocks = _at_rate(estimates, len(options.targets), model.settings.sample_rate, mixture)
            outcome = _write_stems(blocks, mixture, encoding, options, files)
    for note in _notes(outcome, mixture, files.left_out):
        print(f"{mixture.name}: {note}", file=sys.stderr)
    progress(1.0)
    return files.paths


def _signal(mixture: Mixture, sample_rate: int) -> Signal:
    """The mixture at the model's sample rate."""

    def blocks() -> Iterator[np.ndarray]:
        return resampled(mixture.blocks(), mixture.nb_channels, mixture.sample_rate, sample_rate)

    nb_samples = round(mixture.nb_samples * sample_rate / mixture.sample_rate)
    return Signal(blocks, mixture.nb_channels, nb_samples)


def _at_rate(
    estimates: Iterator[np.ndarray], nb_targets: int, sample_rate: int, mixture: Mixture
) -> Iterator[np.ndarray]:
    """Resample estimates (nb_targets, nb_channels, nb_samples) to the mixture's rate."""
    shape = (nb_targets, mixture.nb_channels)
    flat = (block.reshape(math.prod(shape), block.shape[-1]) for block in estimates)
    for block in resampled(flat, math.prod(shape), sample_rate, mixture.sample_rate):
        yield block.reshape(*shape, block.shape[-1])


def _write_stems(
    estimates: Iterator[np.ndarray], mixture: Mixture, encoding: Encoding, options: Options, files: StemFiles
) -> Outcome:
    """Write as many samples as the mixture has; return what became of them."""
    silence = np.zeros((len(options.targets), mixture.nb_channels, 1), np.float32)  # resampling may lose a sample
    clipped: set[str] = set()
    decibels = 0.0
    with MixtureReader(mixture) as reader:
        for block in chain(estimates, repeat(silence)):
            if not block.size:
                continue
            decibels = lowering(mixture.peak, encoding)  # the peak is known once there are estimates
            gain = np.float32(10 ** (-decibels / 20))
            samples = _convert_encoding(reader.read(block.shape[-1]), mixture.encoding, encoding, gain)
            if not samples.size:
                return Outcome(clipped, decibels)
            targets = encoding.quantise(block[..., : samples.shape[-1]] * gain)
            for name, wanted in zip(options.targets, targets, strict=True):
                held = encoding.clip(wanted)
                if held is not wanted:
                    clipped.add(name)
                    wanted[:] = held
            sources = dict(zip(options.targets, targets, strict=True))
            if options.residual:
                sources[options.residual] = compute_residual(samples, targets, encoding)
            files.write(_stems(samples, sources, options, encoding, clipped))
    raise AssertionError("unreachable: the estimates are followed by endless silence")


def lowering(peak: float, encoding: Encoding) -> float:
    """By how many dB, to two digits, the stems are lowered so that integers can hold a mixture of this peak."""
    if encoding.bits is None or peak <= 1:
        return 0.0
    return math.ceil(100 * 20 * math.log10(peak)) / 100


def _notes(outcome: Outcome, mixture: Mixture, left_out: Sequence[str]) -> Iterator[str]:
    """What the user should know of the stems. The web side's table of engines has patterns of these sentences."""
    if outcome.decibels:
        yield f"the level of all stems was lowered by {outcome.decibels:.2f} dB, since the mixture exceeds full scale."
    if mixture.nb_invalid:
        yield f"{mixture.nb_invalid} samples that are not numbers or far beyond full scale were read as silence."
    if outcome.clipped:
        yield f"{', '.join(sorted(outcome.clipped))} exceeded full scale and was clipped."
    if left_out:
        yield f"the stems do not have what the file says in {', '.join(left_out)}."


def _convert_encoding(frames: np.ndarray, read: Encoding, written: Encoding, gain: np.float32) -> np.ndarray:
    """Convert frames of the mixture's file to the stems' encoding, (nb_channels, nb_samples)."""
    if read.bits == written.bits:
        return read.from_file(frames)
    return written.clip(written.quantise(read.to_unit(frames) * gain))


def compute_residual(mixture: np.ndarray, targets: np.ndarray, encoding: Encoding) -> np.ndarray:
    """Subtract the targets from the mixture; targets and residual add up to the mixture exactly.

    Args:
        mixture: (nb_channels, nb_samples), quantised.
        targets: (nb_targets, nb_channels, nb_samples), quantised. Where the residual would clip, they are changed in
            place to take the excess.
        encoding: the stems' encoding.
    Returns:
        (nb_channels, nb_samples)."""
    if encoding.bits is None:
        exact: np.ndarray = mixture - targets.sum(0, dtype=np.float64)
        return exact.astype(mixture.dtype)
    residual = mixture - targets[0]
    for target in targets[1:]:
        residual -= target
    held = encoding.clip(residual)
    if held is not residual:
        for target in targets:
            more = encoding.clip(target + residual - held)
            residual -= more - target
            target[:] = more
    return encoding.clip(residual)


def _stems(
    mixture: np.ndarray, sources: Mapping[str, np.ndarray], options: Options, encoding: Encoding, clipped: set[str]
) -> list[np.ndarray]:
    """The stems in their order, each (nb_channels, nb_samples); names of sums that are clipped go to `clipped`."""
    stems = {}
    for stem, names in options.stems.items():
        if stem != options.remainder:
            total = reduce(np.add, [sources[name] for name in names])
            stems[stem] = encoding.clip(total)
            if stems[stem] is not total:
                clipped.add(stem)
    if options.remainder:
        others = np.stack(list(stems.values()))
        remainder = compute_residual(mixture, others, encoding)
        stems = dict(zip(stems, others, strict=True)) | {options.remainder: remainder}
    return [stems[stem] for stem in options.stems]


def _check_disk_space(folder: Path, nb_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < nb_bytes:
        raise DiskError(
            f"The separation needs {nb_bytes / 1e6:.0f} MB of disk space, and {free / 1e6:.0f} MB are free."
        )


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Convert write errors to DiskError; read errors are InputError already."""
    try:
        yield
    except (OSError, soundfile.LibsndfileError) as error:
        if is_out_of_memory(error):
            raise
        reason = error.strerror if isinstance(error, OSError) else "the disk may be full"
        raise DiskError(f"The stems cannot be written: {reason}.") from None
