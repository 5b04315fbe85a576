"""Bad songs through the upload and the separation, in processes that are watched.

`python -m study.faults.song_trial <songs> <seed>` in a copy of the project; prints the rows as JSON. Linux only. A
song is refused in a sentence, by the upload or else by the separation; or its stems have its length, rate, channels
and subtype, and add up to it. One of ten is drawn too, and sent to a real server, which must say the same.
"""

import contextlib
import http.client
import io
import json
import os
import resource
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from study import open_pages, serving
from study.faults.bad_songs import song
from study.faults.crashes import Upload
from webapp import jobs, uploads
from webapp.folders import DOWNLOADS, ROOT, UPLOADS
from webapp.refusal import Refusal

NB_CHILDREN = 2
SLOW_SECONDS = 20.0  # of the processor
HANGS_SECONDS = 90.0  # until a child that says nothing is ended, on a machine that does other things too
MOST_MEMORY = 2 << 30  # bytes
MORE_OF = 10  # one of so many is drawn, and sent over HTTP
TAKEN, REFUSED, LATE = "taken in and separated", "refused by the upload", "refused by the separation"
CLIPPED = "went beyond full scale and was clipped."


def main() -> None:
    nb_songs, seed = map(int, sys.argv[1:3])
    home = Path.cwd() / "served"
    for folder in (UPLOADS, DOWNLOADS):
        folder.mkdir()
    with open_pages.waiting_jobs(home, 2), serving.serving(home) as server:
        watch = partial(_watched, nb_songs, seed, server.port)
        with ThreadPoolExecutor(NB_CHILDREN) as watchers:
            told = [one for part in watchers.map(watch, range(NB_CHILDREN)) for one in part]
    print(json.dumps(_rows(told)))


def _rows(told: list[dict]) -> list[dict]:
    """One row for each kind of song; `outcomes` are counted for who reads them."""
    rows = []
    for kind in dict.fromkeys(one["kind"] for one in told):
        these = [one for one in told if one["kind"] == kind]
        counts = Counter(one["outcome"] for one in these)
        why = Counter(one["why"] for one in these if one["outcome"] == LATE)
        what = f"{kind}: {counts[TAKEN]} separated, {counts[REFUSED]} refused at once, {counts[LATE]} later"
        found = [{"number": one["number"], "wrong": one["wrong"]} for one in these if one["wrong"]]
        rows.append({"what": what, "trials": len(these), "found": found[:20], "late": dict(why)})
    return rows


# Whoever watches: a child is given numbers, and tells of each song what came of it.


def _watched(nb_songs: int, seed: int, port: int, which: int) -> list[dict]:
    """What the children told of every NB_CHILDRENth song from `which` on; after one that breaks comes another."""
    told, start = [], which
    while start < nb_songs:
        command = [sys.executable, "-m", "study.faults.song_trial", "child", *map(str, (start, nb_songs, seed, port))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            lines = list(_lines(child))
        told += [json.loads(line) for line in lines]
        start = (told[-1]["number"] if lines else start - NB_CHILDREN) + NB_CHILDREN
        if child.returncode and start < nb_songs:
            wrong = "hangs" if child.returncode == -9 else f"ends its process with {child.returncode}"
            told.append({"number": start, "kind": song(seed, start)[0], "outcome": "", "why": "", "wrong": wrong})
            start += NB_CHILDREN
    return told


def _lines(child: subprocess.Popen) -> Iterator[str]:
    """The lines that a child prints; it is killed when none comes for HANGS_SECONDS."""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while selector.select(HANGS_SECONDS):
            if not (line := child.stdout.readline()):
                return
            yield line
    child.kill()


# The child.


def _child(start: int, nb_songs: int, seed: int, port: int) -> None:
    import torch

    from openunmix_models.network import load_model

    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        model = load_model(random_model(Path(folder, "model")), ["vocals"], "cpu")
        for number in range(start, nb_songs, NB_CHILDREN):
            kind, content = song(seed, number)
            is_one = number // NB_CHILDREN % MORE_OF == 0
            begin = time.process_time()
            told = {"number": number, "kind": kind} | _try(content, model, Path(folder, "stems"), drawn=is_one)
            if is_one and not told["wrong"]:
                told["wrong"] = _http_wrong(port, content, told)
            if time.process_time() - begin > SLOW_SECONDS:
                told["wrong"] = f"is slow: {time.process_time() - begin:.0f} s"
            if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > MOST_MEMORY:
                told["wrong"] = "takes more than 2 GB"
            print(json.dumps(told), flush=True)
            if told["wrong"].startswith("takes"):
                return  # another child begins with little again


def random_model(folder: Path) -> Path:
    """A tiny network that has learnt nothing, in Open-Unmix's own format."""
    import torch
    from openunmix.model import OpenUnmix

    folder.mkdir()
    torch.manual_seed(0)
    settings = {"sample_rate": 44100.0, "nfft": 4096, "nhop": 1024, "nb_channels": 2}
    (folder / "separator.json").write_text(json.dumps(settings))
    (folder / "vocals.json").write_text("{}")
    torch.save(OpenUnmix(2049, 2, 16, max_bin=256).state_dict(), folder / "vocals.pth")
    return folder


def _try(content: bytes, model: object, outdir: Path, drawn: bool) -> dict:
    """What comes of a song: its outcome, why it was refused, and what is wrong with that."""
    from openunmix_models.errors import InputError
    from openunmix_models.separation import Options, separate
    from webapp.background.pictures import pictures

    try:
        job = uploads.take_in(Upload(content), "")
    except Refusal as refusal:
        return {"outcome": REFUSED, "why": refusal.sentence, "wrong": _refusal_wrong(refusal.status, refusal.sentence)}
    except Exception as error:
        return {"outcome": REFUSED, "why": "", "wrong": f"the upload: {type(error).__name__}: {error}"}
    try:
        with contextlib.redirect_stderr(io.StringIO()) as said:
            stems = separate(job.source, outdir, model, Options(["vocals"], "residual"), lambda part: None)
            if drawn:
                pictures(job.source)
        wrong = [
            *_stems_wrong(job.source, stems),
            *(line for line in said.getvalue().splitlines() if CLIPPED not in line),
        ]
        return {"outcome": TAKEN, "why": "", "wrong": "; ".join(wrong)}
    except InputError as error:
        return {"outcome": LATE, "why": str(error), "wrong": _sentence_wrong(str(error))}
    except Exception as error:
        return {"outcome": TAKEN, "why": "", "wrong": f"{type(error).__name__}: {error}"}
    finally:
        jobs.delete(job.id)
        shutil.rmtree(outdir, ignore_errors=True)


def _http_wrong(port: int, content: bytes, told: dict) -> str:
    """What is wrong with the server's answer to a song, of which is known what came of it in process."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANGS_SECONDS)
    headers = {"Content-Type": Upload.content_type, "Accept": "application/json"}
    connection.request("POST", "/cgi-bin/upload.py", Upload(content).body, headers)
    answer = connection.getresponse()
    said = json.loads(answer.read())
    connection.close()
    if told["outcome"] == REFUSED:
        sentence = said.get("error", "")
        return _refusal_wrong(answer.status, sentence) or ("" if sentence == told["why"] else f"HTTP says {sentence!r}")
    return "" if answer.status == 201 else f"HTTP says {answer.status} {said}"


def _refusal_wrong(status: int, sentence: str) -> str:
    return _sentence_wrong(sentence) if 400 <= status < 500 else f"refused with {status}: {sentence}"


def _sentence_wrong(sentence: str) -> str:
    fine = sentence.endswith(".") and "\n" not in sentence and str(ROOT) not in sentence and "Error" not in sentence
    return "" if fine else f"no sentence: {sentence!r}"


def _stems_wrong(source: Path, stems: list[Path]) -> Iterator[str]:
    """How the stems are not what they must be."""
    whole = soundfile.info(source)
    subtype = whole.subtype if whole.subtype in KEPT else "PCM_16"
    for stem in map(soundfile.info, stems):
        made = (stem.frames, stem.samplerate, stem.channels, stem.subtype)
        if made != (whole.frames, whole.samplerate, whole.channels, subtype):
            yield f"{whole.frames, whole.samplerate, whole.channels, subtype} became {made}"
            return
    parts = [_numbers(stem, subtype) for stem in stems]
    mixture = _numbers(source, subtype)
    largest = np.abs([mixture, *parts]).max(0)
    spare = np.spacing(largest.astype(KEPT[subtype])) if subtype in ("FLOAT", "DOUBLE") else 0
    if not (np.abs(sum(parts) - mixture) <= spare).all():
        yield "the stems do not add up to the song"


# What stems keep of their song → numpy's type that holds its numbers.
KEPT = {"PCM_U8": "int16", "PCM_16": "int16", "PCM_24": "int32", "PCM_32": "int32", "FLOAT": "f4", "DOUBLE": "f8"}


def _numbers(path: Path, subtype: str) -> np.ndarray:
    """Samples as exact numbers, with room for sums."""
    if subtype in ("FLOAT", "DOUBLE"):
        return soundfile.read(path, dtype="float64", always_2d=True)[0]
    return soundfile.read(path, dtype=KEPT[subtype], always_2d=True)[0].astype(np.int64)


if __name__ == "__main__":
    if sys.argv[1] == "child":
        _child(*map(int, sys.argv[2:6]))
        sys.stdout.flush()
        os._exit(0)
    main()
