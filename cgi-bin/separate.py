#!/usr/bin/env python3
"""POST: put a job, or several, in the queue; then the job's page, or the list of songs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from http import HTTPStatus

from webapp import queue, script
from webapp.html import views


def main(request: script.Request) -> None:
    choice = [request.field(name) for name in ("model", "stems", "format")]
    queued = [queue.enqueue(job_id, *choice) for job_id in request.fields("job") or [""]]
    if request.wants_json:
        answers = [views.as_json(job) for job in queued]
        script.answer_json({"songs": answers} if len(answers) > 1 else answers[0], HTTPStatus.ACCEPTED)
    else:
        script.go_back(request, f"/cgi-bin/job.py?job={queued[0].id}")


script.run(main)
