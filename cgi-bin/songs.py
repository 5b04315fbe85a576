#!/usr/bin/env python3
"""GET: this browser's own jobs, as a page or as JSON."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp import script, songs, songs_page, visitors


def main(request: script.Request) -> None:
    mine = songs.own(visitors.known(request.cookies))
    if request.wants_json:
        script.answer_json(songs_page.as_json(mine))
    else:
        script.answer_page(songs_page.songs_page(mine))


script.run(main)
