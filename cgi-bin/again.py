#!/usr/bin/env python3
"""POST: separate a job's source once more, as a job of its own; then the new job's page."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from http import HTTPStatus

from webapp import script, songs, visitors
from webapp.html import views


def main(request: script.Request) -> None:
    visitor, headers = visitors.welcome(request.cookies, request.is_https)
    choice = [request.field(name) for name in ("model", "stems", "format")]
    job = songs.separate_again(request.field("job"), visitor, visitors.network(request.address), *choice)
    if request.wants_json:
        script.answer_json(views.as_json(job), HTTPStatus.ACCEPTED, headers)
    else:
        script.go_back(request, f"/cgi-bin/job.py?job={job.id}", headers)


script.run(main)
