"""The child process of `damaged_songs`: uploads and separates its share of the songs, and prints each result as JSON.

Usage, in a copy of the project: `python -m study.robustness.damaged_songs_child <first> <songs> <seed> <port>`.
"""

import contextlib
import http.client
import io
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import torch

from audiofiles import wav_header
from openunmix_models.errors import InputError
from openunmix_models.loading import load_model
from openunmix_models.masks import Model
from openunmix_models.separation import Options, separate
from openunmix_models.soundfiles import MAX_AMPLITUDE
from study.robustness.damaged_songs import HANG_SECONDS, NB_CHILDREN, REFUSED_LATER, REFUSED_UPLOAD, SEPARATED
from study.robustness.damaged_wav import generate
from study.robustness.random_model import write_random_model
from study.robustness.sample_song import UploadRequest
from webapp.audio import pictures
from webapp.cgi import upload
from webapp.errors import SeparatorError
from webapp.jobs import store
from webapp.jobs.job import Job
from webapp.pages.http_errors import as_http_error
from webapp.paths import ROOT

MAX_CPU_SECONDS = 20.0  # for one song
MAX_MEMORY_BYTES = 2 << 30
HTTP_INTERVAL = 10  # one song in so many gets its pictures drawn, and is also sent over HTTP
LOWERED = "lowered by"
# Notes that the command prints about stems, which are no failures.
NOTES = (LOWERED, "exceeded full scale and was clipped.", "were read as silence", "do not have what the file says")
# The subtypes that stems keep → numpy's type for their samples.
KEPT_SUBTYPES = {
    "PCM_U8": "int16",
    "PCM_16": "int16",
    "PCM_24": "int32",
    "PCM_32": "int32",
    "FLOAT": "f4",
    "DOUBLE": "f8",
}


def main() -> None:
    first, nb_songs, seed, port = map(int, sys.argv[1:5])
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        model = load_model(write_random_model(Path(folder, "model")), ["vocals"], "cpu")
        for number in range(first, nb_songs, NB_CHILDREN):
            kind, content = generate(seed, number)
            result = _try(content, model, Path(folder, "stems"), number // NB_CHILDREN % HTTP_INTERVAL == 0, port)
            is_too_large = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > MAX_MEMORY_BYTES
            if is_too_large:
                result["failure"] = "uses more than 2 GB of memory"
            print(json.dumps({"number": number, "kind": kind} | result), flush=True)
            if is_too_large:
                return  # the next child starts with little memory again


def _try(content: bytes, model: Model, outdir: Path, is_sent: bool, port: int) -> dict[str, str]:
    """Return the outcome of a song, the reason if it was refused, and what failed.

    `is_sent` says whether its pictures are drawn and it is sent over HTTP as well.
    """
    begin = time.process_time()
    result = _process(content, model, outdir, draws_pictures=is_sent)
    if is_sent and not result["failure"]:
        result["failure"] = _http_failure(port, content, result)
    if (seconds := time.process_time() - begin) > MAX_CPU_SECONDS:
        result["failure"] = f"takes {seconds:.0f} s of CPU time"
    return result


def _process(content: bytes, model: Model, outdir: Path, draws_pictures: bool) -> dict[str, str]:
    """Upload and separate a song in this process."""
    try:
        job = upload.receive(UploadRequest(content), "")
    except SeparatorError as error:
        failure = _refusal_failure(as_http_error(error).status, error.sentence)
        return _result(REFUSED_UPLOAD, error.sentence, failure)
    except Exception as error:
        return _result(REFUSED_UPLOAD, "", f"the upload raises {type(error).__name__}: {error}")
    try:
        return _result(SEPARATED, "", "; ".join(_separate(job, model, outdir, draws_pictures)))
    except InputError as error:
        return _result(REFUSED_LATER, str(error), _sentence_failure(str(error)))
    except Exception as error:
        return _result(SEPARATED, "", f"{type(error).__name__}: {error}")
    finally:
        store.delete(job.id)
        shutil.rmtree(outdir, ignore_errors=True)


def _result(outcome: str, reason: str, failure: str) -> dict[str, str]:
    return {"outcome": outcome, "reason": reason, "failure": failure}


def _separate(job: Job, model: Model, outdir: Path, draws_pictures: bool) -> Iterator[str]:
    """Separate a job's source, and yield what is wrong with the stems and with what is printed."""
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        stems = separate(job.source, outdir, model, Options(["vocals"], "residual"), lambda part: None)
        if draws_pictures:
            pictures.draw(job.source)
    printed = stderr.getvalue()
    yield from _stem_failures(job.source, stems, LOWERED in printed)
    yield from (line for line in printed.splitlines() if not any(note in line for note in NOTES))


def _http_failure(port: int, content: bytes, result: dict[str, str]) -> str:
    """Send a song to the server. Returns how the response differs from the result in process, if it does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_SECONDS)
    headers = {"Content-Type": UploadRequest.content_type, "Accept": "application/json"}
    connection.request("POST", "/cgi-bin/upload.py", UploadRequest(content).body, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    if result["outcome"] != REFUSED_UPLOAD:
        return "" if response.status == 201 else f"HTTP: {response.status} {answer}"
    sentence = answer.get("error", "")
    difference = "" if sentence == result["reason"] else f"HTTP: {sentence!r}"
    return _refusal_failure(response.status, sentence) or difference


def _refusal_failure(status: int, sentence: str) -> str:
    return _sentence_failure(sentence) if 400 <= status < 500 else f"refused with status {status}: {sentence}"


def _sentence_failure(sentence: str) -> str:
    is_sentence = sentence.endswith(".") and "\n" not in sentence
    is_clean = str(ROOT) not in sentence and "Error" not in sentence
    return "" if is_sentence and is_clean else f"not a plain sentence: {sentence!r}"


def _stem_failures(source: Path, stems: list[Path], lowered: bool) -> Iterator[str]:
    """Yield how the stems differ from what they must be. Lowered stems do not add up to the song."""
    info = soundfile.info(wav_header.readable(source))
    subtype = info.subtype if info.subtype in KEPT_SUBTYPES else "PCM_16"
    expected = (info.frames, info.samplerate, info.channels, subtype)
    for stem in map(soundfile.info, stems):
        if (actual := (stem.frames, stem.samplerate, stem.channels, stem.subtype)) != expected:
            yield f"{expected} became {actual}"
            return
    if lowered:
        return
    parts = [_read_exactly(stem, subtype) for stem in stems]
    mixture = _read_exactly(source, subtype)
    largest = np.abs([mixture, *parts]).max(0)
    tolerance = np.spacing(largest.astype(KEPT_SUBTYPES[subtype])) if subtype in ("FLOAT", "DOUBLE") else 0
    if not (np.abs(sum(parts) - mixture) <= tolerance).all():
        yield "the stems do not add up to the song"


def _read_exactly(path: Path, subtype: str) -> np.ndarray:
    """Read samples as exact numbers, in a type that can also hold their sum."""
    if subtype in ("FLOAT", "DOUBLE"):
        samples = soundfile.read(wav_header.readable(path), dtype="float64", always_2d=True)[0]
        samples[~(np.abs(samples) <= MAX_AMPLITUDE)] = 0
        return samples
    return soundfile.read(wav_header.readable(path), dtype=KEPT_SUBTYPES[subtype], always_2d=True)[0].astype(np.int64)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
