#!/usr/bin/env python3
"""POST: delete a job and all its files; then the home page, or the list of songs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp import jobs, script


def main(request: script.Request) -> None:
    job = jobs.delete(request.field("job"))
    if request.wants_json:
        script.answer_json({"job": job.id, "state": "deleted"})
    else:
        script.go_back(request, "/")


script.run(main)
