"""What open pages ask every second. The server itself answers it: to start a script each time would cost too much."""

from collections.abc import Callable
from urllib.parse import parse_qs

from webapp import jobs, songs, visitors
from webapp.html import songs_page, views


def _job(query: str, cookies: str) -> dict:
    return views.as_json(jobs.load(parse_qs(query).get("job", [""])[0]))


def _songs(query: str, cookies: str) -> dict:
    return songs_page.as_json(songs.own(visitors.known(cookies)))


# An address whose page a script makes → what makes its JSON of a query and a `Cookie` header; raises Refusal (404).
STATES: dict[str, Callable[[str, str], dict]] = {
    "/cgi-bin/job.py": _job,
    "/cgi-bin/songs.py": _songs,
}
