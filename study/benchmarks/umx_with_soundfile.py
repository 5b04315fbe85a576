"""Run Open-Unmix's `umx` command with soundfile instead of torchaudio for reading and writing files.

torchaudio needs torchcodec and FFmpeg, which are not installed everywhere.

Usage: `python -m study.benchmarks.umx_with_soundfile`, with the arguments of `umx`.
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
