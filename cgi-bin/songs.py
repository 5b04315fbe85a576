#!/usr/bin/env python3
"""GET: this browser's own jobs, as a page. The server itself says it as JSON, which open pages ask for every second."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from webapp import script, songs, visitors
from webapp.html import songs_page


def main(request: script.Request) -> None:
    mine = songs.own(visitors.known(request.cookies))
    script.answer_page(songs_page.songs_page(mine))


script.run(main)
