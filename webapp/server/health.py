"""The state of the server for monitoring: /health and /metrics."""

import os
import shutil
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus

from webapp import limits, locks, paths
from webapp.jobs import catalogue, disk_space, separated_audio
from webapp.jobs.job import JobState
from webapp.pages.rendering import JSON, json_body
from webapp.version import project_version

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def health() -> tuple[HTTPStatus, str, bytes]:
    """200 if songs can be uploaded and separated, 503 if not: the status, the content type and the body."""
    checks = {
        "worker": locks.is_held(paths.WORKER_LOCK),
        "folders": all(os.access(folder, os.W_OK) for folder in (paths.UPLOADS, paths.DOWNLOADS)),
        "disk": shutil.disk_usage(paths.UPLOADS).free > limits.current().spare_disk_bytes,
    }
    is_healthy = all(checks.values())
    status = HTTPStatus.OK if is_healthy else HTTPStatus.SERVICE_UNAVAILABLE
    return (
        status,
        JSON,
        json_body({"status": "ok" if is_healthy else "failing", "version": project_version(), **checks}),
    )


def metrics() -> tuple[HTTPStatus, str, bytes]:
    """All that can be counted, in Prometheus's text format: the status, the content type and the body."""
    states = Counter(job.state for job in catalogue.all_jobs())
    free = shutil.disk_usage(paths.UPLOADS).free
    lines = [
        *_metric("jobs", "gauge", "Jobs by state.", {f'{{state="{state}"}}': states[state] for state in JobState}),
        *_metric("queue_length", "gauge", "Jobs that wait for their turn.", {"": states[JobState.QUEUED]}),
        *_metric("audio_seconds_total", "counter", "Seconds of audio separated.", {"": separated_audio.seconds()}),
        *_metric("songs_bytes", "gauge", "Bytes that songs and stems take.", {"": disk_space.used()}),
        *_metric("disk_free_bytes", "gauge", "Bytes free on the disk.", {"": free}),
    ]
    return HTTPStatus.OK, PROMETHEUS, "".join(f"{line}\n" for line in lines).encode("ascii")


def _metric(name: str, kind: str, about: str, values: Mapping[str, float]) -> list[str]:
    name = f"sound_separator_{name}"
    head = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    return head + [f"{name}{labels} {value}" for labels, value in values.items()]
