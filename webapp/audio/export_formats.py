"""The formats in which stems and mixes can be downloaded, and what each of them can hold."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from webapp.errors import ChoiceError
from webapp.translation import mark_for_translation, translate

WAV, FLAC = "wav", "flac"
RATES = (44100, 48000)  # that can be chosen, in Hz
MONO, STEREO = 0x4, 0x3
# Speakers by the number of channels where a file does not state them (RFC 9639, section 9.1.3).
DEFAULT_SPEAKERS = {1: MONO, 2: STEREO, 3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F}
# Arrangements with the surround speakers at the side → those with them at the back, for formats that have only one.
SIDE_TO_BACK = {0x603: 0x33, 0x607: 0x37, 0x60F: 0x3F}
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
AAC_RATES = (7350, *MP3_RATES, 64000, 88200, 96000)
ANY: frozenset[int] = frozenset()


@dataclass(frozen=True)
class ExportFormat:
    """One format. `rates` are the sample rates and `speakers` the arrangements of channels that it holds; empty is any.

    `codec` and `container` are FFmpeg's names; `bit_rate` is that of one channel, in bits per second.
    """

    name: str
    title: str
    extension: str
    content_type: str
    codec: str = ""
    container: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    bit_rate: int = 0
    rates: Sequence[int] = ()
    most_hz: int = 0
    speakers: frozenset[int] = ANY

    def holds_rate(self, sample_rate: int) -> bool:
        if self.rates:
            return sample_rate in self.rates
        return not self.most_hz or sample_rate <= self.most_hz

    def speakers_for(self, nb_channels: int, speakers: int) -> int:
        """The arrangement in which this format holds the channels. Raises ChoiceError if it does not hold them."""
        if speakers.bit_count() != nb_channels:
            speakers = DEFAULT_SPEAKERS.get(nb_channels, 0)
        if self.speakers == ANY:
            return speakers
        if nb_channels <= 2:
            return DEFAULT_SPEAKERS[nb_channels]
        speakers = speakers if speakers in self.speakers else SIDE_TO_BACK.get(speakers, 0)
        if speakers not in self.speakers:
            raise ChoiceError(self._channels_refused(nb_channels))
        return speakers

    def output_rate(self, rate: str, sample_rate: int) -> int:
        """The sample rate of a download, if `rate` was chosen and the input has `sample_rate`. Raises ChoiceError."""
        if rate not in ("", *map(str, RATES)):
            raise ChoiceError(
                translate("The sample rate of a download can be {rates} Hz.", rates=" / ".join(map(str, RATES)))
            )
        output = int(rate) if rate else self.rates[0] if len(self.rates) == 1 else sample_rate
        if not self.holds_rate(output):
            raise ChoiceError(self._rate_refused(output))
        return output

    def _channels_refused(self, nb_channels: int) -> str:
        most = max(one.bit_count() for one in self.speakers)
        if nb_channels > most:
            return translate(
                "{format} can hold at most {most} channels, and this song has {channels}.",
                format=self.short_title,
                most=most,
                channels=nb_channels,
            )
        return translate(
            "{format} cannot hold these {channels} channels.", format=self.short_title, channels=nb_channels
        )

    def _rate_refused(self, sample_rate: int) -> str:
        possible = [rate for rate in RATES if self.holds_rate(rate)]
        return translate(
            "{format} cannot hold a sample rate of {rate} Hz. Please choose {rates} Hz.",
            format=self.short_title,
            rate=sample_rate,
            rates=" / ".join(map(str, possible)),
        )

    @property
    def short_title(self) -> str:
        return self.title.split(",")[0]


_MP3 = {
    "extension": ".mp3",
    "content_type": "audio/mpeg",
    "codec": "libmp3lame",
    "container": "mp3",
    "speakers": frozenset({MONO, STEREO}),
}
FORMATS = {
    one.name: one
    for one in (
        ExportFormat(WAV, "WAV", ".wav", "audio/wav"),
        ExportFormat(FLAC, "FLAC", ".flac", "audio/flac", codec="flac", container="flac", most_hz=655_350),
        ExportFormat(
            "mp3",
            mark_for_translation("MP3, variable bit rate (about 190 kb/s)"),
            options={"flags": "+qscale", "global_quality": str(2 * 118)},  # LAME's V2; 118 is FFmpeg's unit of it
            bit_rate=160_000,
            rates=MP3_RATES,
            **_MP3,  # type: ignore[arg-type]
        ),
        ExportFormat(
            "mp3-320",
            mark_for_translation("MP3, 320 kb/s"),
            options={"b": "320000"},
            bit_rate=320_000,
            rates=(32000, 44100, 48000),  # those of MPEG-1; MPEG-2 ends at 160 kb/s
            **_MP3,  # type: ignore[arg-type]
        ),
        ExportFormat(
            "opus",
            mark_for_translation("Opus, about 190 kb/s, always 48 kHz"),
            ".opus",
            "audio/ogg",
            codec="libopus",
            container="opus",
            bit_rate=96_000,
            rates=(48000,),
            speakers=frozenset({MONO, STEREO, 0x7, 0x33, 0x3F, 0x63F}),  # FFmpeg confuses the channels of 5.0 and 6.1
        ),
        ExportFormat(
            "m4a",
            mark_for_translation("M4A, AAC of 256 kb/s"),
            ".m4a",
            "audio/mp4",
            codec="aac",
            container="mp4",
            bit_rate=128_000,
            rates=AAC_RATES,
            speakers=frozenset({MONO, STEREO, 0x7, 0x33, 0x37, 0x3F}),
        ),
    )
}


def find(name: str) -> ExportFormat:
    """The format `name`, WAV if that is empty. Raises ChoiceError."""
    try:
        return FORMATS[name or WAV]
    except KeyError:
        raise ChoiceError(translate("A song can be downloaded as: {formats}.", formats=", ".join(FORMATS))) from None


def attenuation_db(peak: float) -> float:
    """The least attenuation in steps of 0.01 dB that brings a peak to full scale, 1; 0 if it does not exceed it."""
    return math.ceil(2000 * math.log10(peak) - 1e-6) / 100 if peak > 1 else 0.0
