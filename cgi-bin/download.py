#!/usr/bin/env python3
"""GET: the page on which the stems are played and downloaded, or compared with those of another job."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp.cgi import response, script
from webapp.cgi.request import Request
from webapp.jobs import export_choices, store, visitor_jobs
from webapp.pages import compare_page, result_page, visitors


def main(request: Request) -> None:
    job = store.load(request.field("job"))
    if not job.is_done:
        response.redirect(f"/cgi-bin/job.py?job={job.id}")
    elif other := request.field("with"):
        response.send_page(compare_page.compare_page(job, visitor_jobs.load_comparable(job, other)))
    else:
        own = visitor_jobs.jobs_of(visitors.known_visitor(request.cookies, request.is_https))
        format, rate = request.field("format"), request.field("rate")
        export_choices.check(job, format or job.format, rate)
        response.send_page(result_page.result_page(job, visitor_jobs.comparable(job, own), format, rate))


script.run(main)
