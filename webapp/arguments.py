"""The options of server.py."""

import argparse
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from webapp.limits import Limits
from webapp.serving.password import Password

ABOUT_LIMITS = {
    "max_upload_gb": "size of a file that is sent, in GB",
    "max_song_hours": "length of a song, in hours",
    "max_songs": "songs of one visitor that are not separated yet",
    "max_disk_percent": "share of the disk that all songs may take together, in percent",
    "max_job_hours": "how long one separation may take, in hours",
    "keep_hours": "how long files stay after their last use, in hours",
}


def parse() -> argparse.Namespace:
    """The command line's options; `limits` are those of them that limit something."""
    parser = argparse.ArgumentParser(description="Split songs into vocals and music, in a browser, on this machine.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s: this machine only)")
    parser.add_argument("--port", type=_port, default=8000, help="port to listen on (%(default)s)")
    parser.add_argument("--workers", type=_positive(int), default=1, help="separations at a time (%(default)s)")
    for field in fields(Limits):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=_positive(field.type),
            default=field.default,
            metavar="N",
            help=f"{ABOUT_LIMITS[field.name]} (%(default)s)",
        )
    parser.add_argument(
        "--log-json", action="store_true", help="write the log as JSON, an object a line (off unless given)"
    )
    parser.add_argument(
        "--password-file",
        dest="password",
        type=_password,
        metavar="FILE",
        help="ask visitors for the password in its first line (none)",
    )
    parser.add_argument("--public-name", default="", metavar="NAME", help="name by which a proxy is reached (none)")
    parser.add_argument(
        "--behind-proxy", action="store_true", help="believe X-Forwarded-For and X-Forwarded-Proto (off unless given)"
    )
    arguments = parser.parse_args()
    arguments.limits = Limits(**{field.name: getattr(arguments, field.name) for field in fields(Limits)})
    return arguments


def _port(text: str) -> int:
    if not 0 <= int(text) < 1 << 16:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535, or 0 for any that is free")
    return int(text)


def _password(path: str) -> Password:
    try:
        return Password(Path(path))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"no password can be had from it: {error}") from None


def _positive(number: type) -> Callable[[str], float]:
    def check(text: str) -> float:
        if not 0 < number(text) < 1 << 31:
            raise argparse.ArgumentTypeError("it must be more than 0, and not endless")
        return number(text)

    return check
