"""Measure the CPU time that the server spends on open job pages, each of which polls its job once a second."""

import http.client
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HEADERS = {  # as Chromium sends them
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "uk-UA,uk;q=0.9,en-US;q=0.8,en;q=0.7",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0",
    "Referer": "http://localhost:8000/cgi-bin/job.py?job=" + 32 * "0",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
}
WARM_UP_SECONDS = 3.0
RESPONSE_TIMEOUT_SECONDS = 30.0


@contextmanager
def queued_jobs(home: Path, nb_jobs: int) -> Iterator[list[str]]:
    """Create `nb_jobs` jobs in a copy of the project, half of them done, and keep its worker from starting.

    Yields the ids of the queued jobs.
    """
    import fcntl  # imported here because it does not exist on Windows

    uploads = home / "uploads"
    uploads.mkdir()
    jobs = [secrets.token_hex(16) for _ in range(nb_jobs)]
    for number, job in enumerate(jobs):
        state = {"id": job, "name": f"Song {number}.wav", "seconds": 240.0, "queue_number": number}
        state |= {"state": "queued"} if number % 2 else {"state": "done", "started": 1000.0, "finished": 1060.0}
        (uploads / job).mkdir()
        (uploads / job / "state.json").write_text(json.dumps(state))
    with (uploads / ".worker").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield jobs[1::2]


def measure_cpu_share(pid: int, port: int, jobs: list[str], seconds: float) -> float:
    """Return the share of one core that the server process `pid` uses while one page polls each of `jobs`."""
    stop = threading.Event()
    pages = [threading.Thread(target=_page, args=(port, job, stop)) for job in jobs]
    for page in pages:
        page.start()
        time.sleep(1 / len(pages))  # spread the requests over the second
    time.sleep(WARM_UP_SECONDS)
    before, begin = cpu_seconds(pid), time.perf_counter()
    time.sleep(seconds)
    share = (cpu_seconds(pid) - before) / (time.perf_counter() - begin)
    stop.set()
    for page in pages:
        page.join()
    return share


def _page(port: int, job: str, stop: threading.Event) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=RESPONSE_TIMEOUT_SECONDS)
    next_time = time.monotonic()
    while not stop.wait(max(0.0, next_time - time.monotonic())):
        next_time += 1
        connection.request("GET", f"/cgi-bin/job.py?job={job}", headers=HEADERS)
        if json.loads(connection.getresponse().read())["state"] != "queued":
            raise SystemExit("A job is not queued as expected.")
    connection.close()


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process in seconds (Linux, see proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
