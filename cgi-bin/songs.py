#!/usr/bin/env python3
"""GET: this browser's own jobs, as a page. The server itself answers requests for JSON, as open pages send them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp.cgi import response, script
from webapp.cgi.request import Request
from webapp.jobs import visitor_jobs
from webapp.pages import songs_page, visitors


def main(request: Request) -> None:
    jobs = visitor_jobs.jobs_of(visitors.known_visitor(request.cookies, request.is_https))
    response.send_page(songs_page.songs_page(jobs, request.field("deleted")))


script.run(main)
