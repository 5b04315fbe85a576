"""Making a file to download of a signal: at full scale at most, in the chosen format, with the song's metadata."""

from dataclasses import dataclass
from typing import BinaryIO

from audiofiles.metadata import Metadata
from webapp.audio.export_formats import WAV, ExportFormat, attenuation_db
from webapp.audio.signal import Signal
from webapp.audio.wav_stream import WavStream, is_float
from webapp.translation import translate

BITS = {"PCM_U8": 8, "PCM_S8": 8, "PCM_24": 24, "PCM_32": 32, "FLOAT": 32, "DOUBLE": 64}


@dataclass(frozen=True)
class Export:
    """How signals are exported: the format, the arrangement of their channels, and by how many dB they are quieter."""

    format: ExportFormat
    speakers: int
    attenuation: float = 0.0

    def write(self, signal: Signal, metadata: Metadata, file: BinaryIO) -> None:
        """Write the file. Raises soundfile.LibsndfileError, av.FFmpegError, OSError."""
        if self.format.name == WAV:
            for chunk in self.wav_stream(signal, metadata).chunks():
                file.write(chunk)
            return
        from webapp.audio import encoder  # imported here: FFmpeg's libraries take long to load

        bits = BITS.get(signal.subtype, 16)
        encoder.encode(signal, self.format, self.speakers, bits, self._gain, self._noted(metadata).tags, file)

    def wav_stream(self, signal: Signal, metadata: Metadata) -> WavStream:
        """The WAV file, whose length is known before it is made."""
        chunks = self._noted(metadata).wav_chunks()
        return WavStream(signal, signal.subtype, self._gain, metadata.layout, chunks)

    @property
    def _gain(self) -> float:
        return float(10 ** (-self.attenuation / 20))

    def _noted(self, metadata: Metadata) -> Metadata:
        """The metadata, with the attenuation in the comment, if there is one."""
        if not self.attenuation:
            return metadata
        sentence = translate(
            "{decibels} dB quieter, because it would exceed full scale otherwise.",
            decibels=f"{self.attenuation:.2f}",
        )
        return metadata.with_comment(sentence)


def attenuation(format: ExportFormat, *signals: Signal) -> float:
    """By how many dB all these signals must be quieter so that none exceeds full scale. Reads them, if one may.

    Floating point in WAV holds any sample. Raises soundfile.LibsndfileError.
    """
    if format.name == WAV and is_float(signals[0].subtype):
        return 0.0
    return attenuation_db(max(signal.peak() if signal.may_exceed_full_scale else 0.0 for signal in signals))
