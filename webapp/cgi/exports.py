"""Stems and mixes in the format and sample rate that a request asks for.

What has to be encoded is written to a temporary file first, since most formats begin with what is known only at their
end. The file has no name, so that nothing of it is left when the script ends, however it ends.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from audiofiles import metadata
from audiofiles.metadata import Metadata
from webapp.audio import export_formats, mix, wav_format
from webapp.audio.export_formats import WAV, ExportFormat
from webapp.cgi.request import Request
from webapp.errors import StoredFileNotFound
from webapp.jobs import disk_space, export_choices, file_names
from webapp.jobs.job import Job

if TYPE_CHECKING:  # numpy takes long to load, and errors and plain files do not need it
    from webapp.audio.export import Export
    from webapp.audio.signal import Signal

CHUNK_BYTES = 1 << 18
MIX = "mix"  # the name of a mix, as stems have names


class Download(Protocol):
    """What is sent: `length` bytes, which `chunks` gives."""

    length: int

    def chunks(self) -> Iterator[bytes]: ...


class FileDownload:
    """An open file, from its beginning."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.length = os.fstat(file.fileno()).st_size

    def chunks(self) -> Iterator[bytes]:
        self._file.seek(0)
        return iter(lambda: self._file.read(CHUNK_BYTES), b"")


def find_format(request: Request, default: str = WAV) -> ExportFormat:
    """The format that the request names. Raises ChoiceError."""
    return export_formats.find(request.field("format") or default)


@contextmanager
def open_stems(job: Job, names: Sequence[str], format: ExportFormat, rate: str) -> Iterator[dict[str, BinaryIO]]:
    """Open these stems in the format and at the sample rate: the files on the disk, or temporary ones.

    If a stem exceeds full scale, all stems of the job are quieter by the same number of dB, so that they still add up.
    Raises ChoiceError, StoredFileNotFound, DiskFull.
    """
    stems = job.stems()
    with ExitStack() as opened:
        if not all(name in stems for name in names):
            raise StoredFileNotFound
        if format.name == WAV and not rate:
            yield {name: opened.enter_context(_open(stems[name])) for name in names}
            return
        signals, export = _prepare(job, {name: {path: 1.0} for name, path in stems.items()}, format, rate, opened)
        wanted = {name: signals[name] for name in names}
        disk_space.check(sum(_most_bytes(format, signal) for signal in wanted.values()))
        yield {name: opened.enter_context(_encoded(job, name, signal, export)) for name, signal in wanted.items()}


@contextmanager
def open_mix(job: Job, levels: Mapping[str, float], format: ExportFormat, rate: str) -> Iterator[Download]:
    """A mix of the job's stems. As WAV it is made while it is sent. Raises as `open_stems` does."""
    parts = mix.parts(job.source, job.stems(), levels)
    with ExitStack() as opened:
        signals, export = _prepare(job, {MIX: parts}, format, rate, opened)
        signal = signals[MIX]
        if format.name == WAV:
            yield export.wav_stream(signal, _metadata(job, MIX, signal))
            return
        disk_space.check(_most_bytes(format, signal))
        yield FileDownload(opened.enter_context(_encoded(job, MIX, signal, export)))


def _prepare(
    job: Job, levels: Mapping[str, Mapping[Path, float]], format: ExportFormat, rate: str, opened: ExitStack
) -> "tuple[dict[str, Signal], Export]":
    """Open the signals, name → the levels of its files, and settle how all of them are exported. Raises ChoiceError."""
    from webapp.audio.export import Export, attenuation
    from webapp.audio.signal import Signal

    first = next(iter(next(iter(levels.values()))))
    found = _read_format(first)
    speakers = format.speakers_for(found.nb_channels, found.speakers or export_choices.source_speakers(job))
    output_rate = format.output_rate(rate, found.sample_rate)
    signals = {name: opened.enter_context(Signal(of_one, output_rate)) for name, of_one in levels.items()}
    return signals, Export(format, speakers, attenuation(format, *signals.values()))


def _encoded(job: Job, name: str, signal: "Signal", export: "Export") -> BinaryIO:
    """A temporary file with the signal. It is on the disk of the stems, and deleted when it is closed."""
    file = tempfile.TemporaryFile(dir=job.outdir)  # noqa: SIM115 (the caller closes it)
    try:
        export.write(signal, _metadata(job, name, signal), file)
        file.flush()
    except BaseException:
        file.close()
        raise
    return file


def _metadata(job: Job, name: str, signal: "Signal") -> Metadata:
    """What the song's file says besides its samples, as far as it holds for the signal, with the stem's title."""
    try:
        found = metadata.read(job.source).fitting(signal.sample_rate, signal.nb_channels)
    except OSError:
        raise StoredFileNotFound from None
    return found.for_stem(name, file_names.song_name(job)) if found else found


def _read_format(path: Path) -> wav_format.WavFormat:
    try:
        return wav_format.read(path)
    except (OSError, ValueError):
        raise StoredFileNotFound from None


def _most_bytes(format: ExportFormat, signal: "Signal") -> int:
    """How much space a download may take: a little more than its bit rate, or 32 bits for each sample."""
    nb_samples: int = signal.nb_samples * signal.nb_channels
    return 2 * nb_samples * format.bit_rate // (8 * signal.sample_rate) if format.bit_rate else 4 * nb_samples


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError:
        raise StoredFileNotFound from None
