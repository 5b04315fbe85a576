#!/usr/bin/env python3
"""GET: where a job stands, as a page or as JSON."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp import jobs, script, views


def main(request: script.Request) -> None:
    job = jobs.load(request.field("job"))
    if request.wants_json:
        script.answer_json(views.as_json(job))
    elif job.state in ("uploaded", "done"):
        script.redirect(f"/cgi-bin/{'uploaded' if job.state == 'uploaded' else 'download'}.py?job={job.id}")
    else:
        script.answer_page(views.job_page(job))


script.run(main)
