#!/usr/bin/env python3
"""GET: the page of a file that has been sent and waits for SEPARATE."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp import jobs, script
from webapp.html import views


def main(request: script.Request) -> None:
    job = jobs.load(request.field("job"))
    if job.state == "uploaded":
        script.answer_page(views.uploaded_page(job))
    else:
        script.redirect(f"/cgi-bin/job.py?job={job.id}")


script.run(main)
