#!/usr/bin/env python3
"""POST: separate a job's source again, as a new job; then redirect to that job's page."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from http import HTTPStatus

from webapp.cgi import response, script
from webapp.cgi.request import Request
from webapp.jobs import rerun
from webapp.pages import views, visitors


def main(request: Request) -> None:
    visitor, headers = visitors.identify(request.cookies, request.is_https)
    model, _, stems = request.field("separation").partition(" ")  # a pair from the page; programs send two fields
    choice = (model or request.field("model"), stems or request.field("stems"), request.field("format"))
    job = rerun.separate_again(request.field("job"), visitor, visitors.network(request.address), *choice)
    if request.wants_json:
        response.send_json(views.as_json(job), HTTPStatus.ACCEPTED, headers)
    else:
        response.redirect_back(request, f"/cgi-bin/job.py?job={job.id}", headers)


script.run(main)
