#!/usr/bin/env python3
"""POST: receive a .wav file; then redirect to the uploaded page. With the field `separate`, queue it at once."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from http import HTTPStatus

from webapp.cgi import response, script, upload
from webapp.cgi.request import Request
from webapp.cgi.upload_body import Form
from webapp.jobs import queue
from webapp.pages import views, visitors


def main(request: Request) -> None:
    visitor, headers = visitors.identify(request.cookies, request.is_https)
    form = Form()
    job = upload.receive(request, visitor, form)
    fields = form.fields()
    if fields.get("separate"):
        choice = [fields.get(name, "") for name in ("model", "stems", "format")]
        job = queue.enqueue_upload(job.id, *choice)
    if request.wants_json:
        response.send_json(views.as_json(job), HTTPStatus.CREATED, headers)
    else:
        response.redirect(f"/cgi-bin/{'job' if job.is_pending else 'uploaded'}.py?job={job.id}", headers)


script.run(main)
