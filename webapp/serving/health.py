"""How the server is: for whoever watches over it, by the addresses /health and /metrics."""

import os
import shutil
from collections import Counter
from http import HTTPStatus

from webapp import catalogue, locks, room
from webapp.background import tally
from webapp.folders import DOWNLOADS, UPLOADS, WORKER_LOCK
from webapp.html.pages import JSON, json_body
from webapp.limits import SPARE_DISK_BYTES

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("uploaded", "queued", "running", "done", "failed", "cancelled")


def health() -> tuple[HTTPStatus, str, bytes]:
    """200 if songs can be taken in and separated, 503 if not: the status, the content type and the body."""
    checks = {
        "worker": locks.is_held(WORKER_LOCK),
        "folders": all(os.access(folder, os.W_OK) for folder in (UPLOADS, DOWNLOADS)),
        "disk": shutil.disk_usage(UPLOADS).free > SPARE_DISK_BYTES,
    }
    well = all(checks.values())
    status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
    return status, JSON, json_body({"status": "ok" if well else "failing", **checks})


def metrics() -> tuple[HTTPStatus, str, bytes]:
    """What can be counted, in Prometheus's text format: the status, the content type and the body."""
    states = Counter(job.state for job in catalogue.everyone())
    lines = [
        *_metric("jobs", "gauge", "Jobs by state.", {f'{{state="{state}"}}': states[state] for state in STATES}),
        *_metric("queue_length", "gauge", "Jobs that wait for their turn.", {"": states["queued"]}),
        *_metric("audio_seconds_total", "counter", "Seconds of audio separated.", {"": tally.seconds()}),
        *_metric("songs_bytes", "gauge", "Bytes that songs and stems take.", {"": room.used()}),
        *_metric("disk_free_bytes", "gauge", "Bytes free on the disk.", {"": shutil.disk_usage(UPLOADS).free}),
    ]
    return HTTPStatus.OK, PROMETHEUS, "".join(f"{line}\n" for line in lines).encode("ascii")


def _metric(name: str, kind: str, about: str, values: dict[str, float]) -> list[str]:
    name = f"sound_separator_{name}"
    head = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    return head + [f"{name}{labels} {value}" for labels, value in values.items()]
