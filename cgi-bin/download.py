#!/usr/bin/env python3
"""GET: the page on which the separated files are heard and downloaded, or heard against those of another job."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp import jobs, script, songs
from webapp.html import compare_page, result_page


def main(request: script.Request) -> None:
    job = jobs.load(request.field("job"))
    if job.state == "done" and (other := request.field("with")):
        script.answer_page(compare_page.compare_page(job, songs.partner(job, other)))
    elif job.state == "done":
        script.answer_page(result_page.result_page(job))
    else:
        script.redirect(f"/cgi-bin/job.py?job={job.id}")


script.run(main)
