"""Open-Unmix's own `umx` command, with soundfile in place of torchaudio's files: `python -m study.upstream`.

torchaudio's own need torchcodec and FFmpeg, which are not there everywhere.
"""

import soundfile
import torch
import torchaudio
from openunmix import cli


def _load(path, frame_offset=0, num_frames=-1):
    samples, rate = soundfile.read(path, num_frames, frame_offset, dtype="float32", always_2d=True)
    return torch.from_numpy(samples.T.copy()), rate


def _save(path, samples, sample_rate):
    soundfile.write(path, samples.numpy().T, int(sample_rate), subtype="PCM_16")


if __name__ == "__main__":
    torchaudio.load, torchaudio.save = _load, _save
    cli.separate()
