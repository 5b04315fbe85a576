"""One audio file into the files of its stems, in its own rate, subtype and number of channels.

The estimates are those of `estimation`; here they become samples of a file, and what they leave of the mixture becomes
the residual.
"""

import math
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import soundfile

from .errors import DiskError, InputError, is_for_want_of_memory
from .estimation import Refinement, Signal, estimate, scratch_bytes
from .network import Model
from .resampling import resampled
from .soundfiles import Encoding, Mixture, MixtureReader, StemFiles, encoding_for


@dataclass(frozen=True)
class Options:
    """What to estimate and how; the names are those of the command's arguments. `start` and `duration` in seconds.

    `wiener_win_len` None or 0 is one window over the whole file, in memory that grows with it.
    """

    targets: Sequence[str]
    residual: str | None = None
    niter: int = 1
    wiener_win_len: int | None = 300
    ext: str = ".wav"
    start: float = 0.0
    duration: float | None = None
    aggregate: Mapping[str, Sequence[str]] | None = None

    @property
    def sources(self) -> list[str]:
        """The targets and, if it is wanted, the residual."""
        return [*self.targets, *([self.residual] if self.residual else [])]

    @property
    def stems(self) -> Mapping[str, Sequence[str]]:
        """The sources that each stem is the sum of."""
        return self.aggregate or {name: [name] for name in self.sources}


def separate(path: Path, outdir: Path, model: Model, options: Options, progress: Callable[[float], None]) -> list[Path]:
    """Write `<outdir>/<stem><ext>` for each stem of the audio file `path`, in its rate, subtype and channels.

    `progress` is called with the part that is done, 0 to 1; what it raises ends the work. Raises InputError, DiskError;
    no stem is then left behind.
    """
    if len(options.targets) == 1 and not options.residual and options.niter > 0:
        raise InputError("One target alone cannot be refined: it takes a residual, or niter 0.")
    mixture = Mixture(path, options.start, options.duration)
    encoding = encoding_for(mixture, options.ext)
    signal = _signal(mixture, model.sample_rate)
    with _disk_errors():
        outdir.mkdir(parents=True, exist_ok=True)
        stem_bytes = len(options.stems) * mixture.nb_samples * mixture.nb_channels * encoding.bytes_a_sample
        features, layers = scratch_bytes(signal, model, options.targets)
        _check_room(outdir, features + max(layers, stem_bytes))
        refinement = Refinement(options.niter, bool(options.residual), options.wiener_win_len)
        with (
            closing(estimate(signal, model, options.targets, refinement, outdir, progress)) as estimates,
            StemFiles(outdir, list(options.stems), options.ext, encoding, mixture) as files,
        ):
            blocks = _at_rate(estimates, len(options.targets), model.sample_rate, mixture)
            clipped = _write_stems(blocks, mixture, encoding, options, files)
    if clipped:
        print(f"{mixture.name}: {', '.join(sorted(clipped))} went beyond full scale and was clipped.", file=sys.stderr)
    progress(1.0)
    return files.paths


def _signal(mixture: Mixture, sample_rate: int) -> Signal:
    """The mixture as the networks hear it."""

    def blocks() -> Iterator[np.ndarray]:
        return resampled(mixture.blocks(), mixture.nb_channels, mixture.sample_rate, sample_rate)

    nb_samples = round(mixture.nb_samples * sample_rate / mixture.sample_rate)
    return Signal(blocks, mixture.nb_channels, nb_samples)


def _at_rate(
    estimates: Iterator[np.ndarray], nb_targets: int, sample_rate: int, mixture: Mixture
) -> Iterator[np.ndarray]:
    """Estimates (nb_targets, nb_channels, nb_samples) at the mixture's rate."""
    shape = (nb_targets, mixture.nb_channels)
    flat = (block.reshape(math.prod(shape), block.shape[-1]) for block in estimates)
    for block in resampled(flat, math.prod(shape), sample_rate, mixture.sample_rate):
        yield block.reshape(*shape, block.shape[-1])


def _write_stems(
    estimates: Iterator[np.ndarray], mixture: Mixture, encoding: Encoding, options: Options, files: StemFiles
) -> set[str]:
    """Write as many samples as the mixture has. Gives the names of the targets that were clipped."""
    silence = np.zeros((len(options.targets), mixture.nb_channels, 1), np.float32)  # resampling may lose a sample
    clipped = set()
    with MixtureReader(mixture) as reader:
        for block in chain(estimates, repeat(silence)):
            if not block.size:
                continue
            samples = _in_encoding(reader.read(block.shape[-1]), mixture.encoding, encoding)
            if not samples.size:
                return clipped
            targets = encoding.quantise(block[..., : samples.shape[-1]])
            for name, wanted in zip(options.targets, targets, strict=True):
                held = encoding.clip(wanted)
                if held is not wanted:
                    clipped.add(name)
                    wanted[:] = held
            sources = dict(zip(options.targets, targets, strict=True))
            if options.residual:
                sources[options.residual] = take_residual(samples, targets, encoding)
            files.write([_sum([sources[name] for name in names], encoding) for names in options.stems.values()])
    raise AssertionError("the silence has no end")


def _in_encoding(frames: np.ndarray, read: Encoding, written: Encoding) -> np.ndarray:
    """What was read from the mixture's file, as numbers of the stems' encoding, (nb_channels, nb_samples)."""
    if read.bits == written.bits:
        return read.from_file(frames)
    return written.clip(written.quantise(read.to_unit(frames)))


def take_residual(mixture: np.ndarray, targets: np.ndarray, encoding: Encoding) -> np.ndarray:
    """What the targets (nb_targets, nb_channels, nb_samples) leave of the mixture (nb_channels, nb_samples), so that
    all add up to it exactly: what the residual cannot hold goes back to the targets, in place."""
    if encoding.bits is None:
        return (mixture - targets.sum(0, dtype=np.float64)).astype(mixture.dtype)
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


def _sum(sources: Sequence[np.ndarray], encoding: Encoding) -> np.ndarray:
    return sources[0] if len(sources) == 1 else encoding.clip(sum(sources))


def _check_room(folder: Path, nb_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < nb_bytes:
        raise DiskError(f"This takes {nb_bytes / 1e6:.0f} MB of disk meanwhile, and {free / 1e6:.0f} MB are free.")


@contextmanager
def _disk_errors() -> Iterator[None]:
    """What goes wrong with files here goes wrong in writing; reading has its own error."""
    try:
        yield
    except (OSError, soundfile.LibsndfileError) as error:
        if is_for_want_of_memory(error):
            raise
        reason = error.strerror if isinstance(error, OSError) else "the disk may be full"
        raise DiskError(f"The stems cannot be written: {reason}.") from None
