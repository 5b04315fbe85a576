#!/usr/bin/env python3
"""POST: put a job in the queue; then the job's page."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from http import HTTPStatus

from webapp import queue, script, views


def main(request: script.Request) -> None:
    job = queue.enqueue(*map(request.field, ("job", "model", "stems", "format")))
    if request.wants_json:
        script.answer_json(views.as_json(job), HTTPStatus.ACCEPTED)
    else:
        script.redirect(f"/cgi-bin/job.py?job={job.id}")


script.run(main)
