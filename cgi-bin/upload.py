#!/usr/bin/env python3
"""POST: take a .wav file in; then the uploaded page."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from http import HTTPStatus

from webapp import script, uploads, visitors
from webapp.html import views


def main(request: script.Request) -> None:
    visitor, headers = visitors.welcome(request.cookies, request.is_https)
    job = uploads.take_in(request, visitor)
    if request.wants_json:
        script.answer_json(views.as_json(job), HTTPStatus.CREATED, headers)
    else:
        script.redirect(f"/cgi-bin/uploaded.py?job={job.id}", headers)


script.run(main)
