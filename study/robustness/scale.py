"""Simulation of many slots: a long queue of songs, and an engine that only waits, on a real server and a real worker.

It compares the number of songs that are separated with the ideal, and measures the processor time of the worker and of
the server, and how long state pages take meanwhile. The separations themselves would run on other machines.

Usage, in a copy of the project: `python -m study.robustness.scale <songs> <slots> <seconds of a song> <seconds>`.
Prints the rows as JSON. Linux only.
"""

import json
import secrets
import statistics
import sys
import threading
import time
import wave
from pathlib import Path

from study.benchmarks import page_polling, serving
from study.robustness.results import Row, print_rows, row

NB_VISITORS = 200
WARM_UP = 1.5  # songs of each slot, until the slots end at different times
MIN_SHARE_OF_IDEAL = 0.9  # of the songs that the slots could separate
ENGINE = """#!/bin/sh
# Stands in for an engine: it waits for {seconds} s, then gives the song as both stems.
sleep {seconds}
mkdir -p "$2/song"
ln "$1" "$2/song/vocals.wav"
ln "$1" "$2/song/residual.wav"
echo "writing: 100%" >&2
"""


def main() -> None:
    nb_songs, nb_slots = int(sys.argv[1]), int(sys.argv[2])
    song_seconds, seconds = float(sys.argv[3]), float(sys.argv[4])
    home = Path.cwd() / "served"
    for name in serving.SERVER_FILES:
        serving.copy_into(home, name)
    replace_engine(home, song_seconds)
    jobs = _queue_songs(home, nb_songs)
    with serving.run_server(home, f"--workers={nb_slots}", log=home / serving.LOG) as server:
        _wait_for_done(home, round(WARM_UP * nb_slots))
        print_rows([_row(home, server, jobs, nb_slots, song_seconds, seconds)])


def _row(
    home: Path, server: serving.Server, jobs: list[str], nb_slots: int, song_seconds: float, seconds: float
) -> Row:
    """Measure for `seconds`, while a page of each visitor polls its last song."""
    worker = _worker_of(server.pid)
    stop, times = threading.Event(), list[float]()
    pages = [threading.Thread(target=_poll, args=(server, job, stop, times)) for job in jobs[-NB_VISITORS:]]
    before, begin = _sample(home, server.pid, worker), time.monotonic()
    for page in pages:
        page.start()
    time.sleep(seconds)
    after, took = _sample(home, server.pid, worker), time.monotonic() - begin
    stop.set()
    for page in pages:
        page.join()
    nb_done, server_cpu, worker_cpu = (b - a for a, b in zip(before, after, strict=True))
    ideal = nb_slots / song_seconds * took
    slow = sorted(times)[int(0.99 * len(times))]
    name = (
        f"{len(jobs)} songs of {NB_VISITORS} visitors, {nb_slots} slots, {song_seconds:g} s a song: "
        f"{nb_done / took:.2f} songs a second, {100 * nb_done / ideal:.0f} % of the ideal; "
        f"worker {100 * worker_cpu / took:.0f} % and server {100 * server_cpu / took:.0f} % of a core; "
        f"state pages {1e3 * statistics.median(times):.0f} ms, 99 % in {1e3 * slow:.0f} ms"
    )
    return row(name, len(times), [] if nb_done >= MIN_SHARE_OF_IDEAL * ideal else [name])


def _sample(home: Path, server: int, worker: int) -> tuple[float, float, float]:
    """Return the number of songs that are done, and the CPU time of the server and of the worker in seconds."""
    return _nb_done(home), page_polling.cpu_seconds(server), page_polling.cpu_seconds(worker)


def _nb_done(home: Path) -> int:
    return (home / serving.LOG).read_text().count(": done in ")


def _wait_for_done(home: Path, number: int) -> None:
    while _nb_done(home) < number:
        time.sleep(0.1)


def _worker_of(server: int) -> int:
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return next(int(pid) for pid in children if b"webapp.worker.main" in Path(f"/proc/{pid}/cmdline").read_bytes())


def _poll(server: serving.Server, job: str, stop: threading.Event, times: list[float]) -> None:
    while not stop.is_set():
        begin = time.perf_counter()
        server.get(f"/cgi-bin/job.py?job={job}")
        times.append(time.perf_counter() - begin)
        stop.wait(1.0)


def _queue_songs(home: Path, number: int) -> list[str]:
    """Create queued jobs of NB_VISITORS visitors in turn, and return their ids."""
    uploads = home / "uploads"
    uploads.mkdir()
    song = home / "song.wav"
    with wave.open(str(song), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    jobs = [secrets.token_hex(16) for _ in range(number)]
    for place, job in enumerate(jobs):
        state = {"id": job, "name": f"Song {place}.wav", "seconds": 1.0, "queue_number": place, "state": "queued"}
        state |= {"model": "starter", "visitor": f"{place % NB_VISITORS:064x}"}
        (uploads / job).mkdir()
        (uploads / job / "song.wav").hardlink_to(song)
        (uploads / job / "state.json").write_text(json.dumps(state))
    return jobs


def replace_engine(home: Path, seconds: float) -> None:
    """Let the copy's default engine be one that waits."""
    engine = home / "engine.sh"
    engine.write_text(ENGINE.format(seconds=seconds))
    engine.chmod(0o755)
    table = home / "webapp" / "engines" / "engines.toml"
    text = table.read_text("utf-8")
    start = text.index("command = [")
    end = text.index("]", start) + 1
    text = text[:start] + f'command = ["{engine}", "{{source}}", "{{outdir}}"]' + text[end:]
    for line in ('warm = ["--keep-warm", "5"]', 'arguments = ["--targets", "vocals", "--residual", "residual"]'):
        assert line in text  # noqa: S101 (the table has changed)
        text = text.replace(line, "", 1)
    table.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
