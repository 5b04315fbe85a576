#!/usr/bin/env python3
"""POST: delete a job and all its files. Visitors can undo that; they are redirected to a page that says so."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp.cgi import response, script
from webapp.cgi.request import Request
from webapp.jobs import store, trash


def main(request: Request) -> None:
    if request.wants_json:
        job = store.delete(request.field("job"))
        response.send_json({"job": job.id, "state": "deleted"})
    else:
        job = trash.discard(request.field("job"))
        response.redirect_back(request, f"/?deleted={job.id}", songs=f"/cgi-bin/songs.py?deleted={job.id}")


script.run(main)
