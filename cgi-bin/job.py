#!/usr/bin/env python3
"""GET: where a job stands, as a page. The server itself says it as JSON, which open pages ask for every second."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp import jobs, script
from webapp.html import views


def main(request: script.Request) -> None:
    job = jobs.load(request.field("job"))
    if job.state in ("uploaded", "done"):
        script.redirect(f"/cgi-bin/{'uploaded' if job.state == 'uploaded' else 'download'}.py?job={job.id}")
    else:
        script.answer_page(views.job_page(job))


script.run(main)
