"""The options of server.py."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import Field, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from webapp import command_prefix
from webapp.limits import Limits
from webapp.server.password import Password
from webapp.version import project_version


@dataclass(frozen=True)
class Options:
    """What the operator has chosen."""

    limits: Limits
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    run_with: tuple[str, ...] = ()
    log_json: bool = False
    password: Password | None = None
    public_name: str = ""
    behind_proxy: bool = False


def parse(arguments: Sequence[str] | None = None, limits: Limits = Limits()) -> Options:  # noqa: B008 (immutable)
    """The options on the command line. `limits` are the defaults. Exits with a message if an option is wrong."""
    parser = argparse.ArgumentParser(description="Split songs into vocals and music, in a browser, on this machine.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s: this machine only)")
    parser.add_argument("--port", type=_port, default=8000, help="port to listen on (%(default)s)")
    parser.add_argument("--workers", type=_positive(int), default=1, help="separations at a time (%(default)s)")
    parser.add_argument(
        "--run-with",
        type=_command_prefix,
        default=(),
        metavar="COMMAND",
        help="command, such as srun, that runs separations on other machines; see docs/cluster.md (none)",
    )
    for field in _limit_options():
        default = getattr(limits, field.name)
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=_positive(type(default)),
            default=default,
            metavar="N",
            help=f"{field.metadata['help']} ({default:g})",
        )
    parser.add_argument("--log-json", action="store_true", help="write the log as one JSON object per line (off)")
    parser.add_argument(
        "--password-file",
        dest="password",
        type=partial(_password, limits=limits),
        metavar="FILE",
        help="ask visitors for the password in the first line of FILE (none)",
    )
    parser.add_argument(
        "--public-name", default="", metavar="NAME", help="host name under which a proxy is reached (none)"
    )
    parser.add_argument(
        "--behind-proxy", action="store_true", help="trust the X-Forwarded-For and X-Forwarded-Proto headers (off)"
    )
    parser.add_argument("--version", action="version", version=f"sound-separator {project_version()}")
    values = vars(parser.parse_args(arguments))
    changed = {field.name: values.pop(field.name) for field in _limit_options()}
    return Options(limits=replace(limits, **changed), **values)


def _limit_options() -> list[Field[Any]]:
    return [field for field in fields(Limits) if field.metadata]


def _port(text: str) -> int:
    if not 0 <= int(text) < 1 << 16:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535, or 0 for any free port")
    return int(text)


def _command_prefix(text: str) -> tuple[str, ...]:
    try:
        return command_prefix.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"separations cannot be run with this: {error}") from None


def _password(path: str, limits: Limits) -> Password:
    try:
        return Password(Path(path), limits)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"the password cannot be read: {error}") from None


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    def convert(text: str) -> float:
        if not 0 < kind(text) < 1 << 31:
            raise argparse.ArgumentTypeError("it must be more than 0, and finite")
        return kind(text)

    return convert
