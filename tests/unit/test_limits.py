"""The limits: their options, their environment variables, and the networks that addresses count for."""

from email.message import Message
from http import HTTPStatus

import pytest

from webapp import limits
from webapp.limits import Limits
from webapp.pages import visitors
from webapp.pages.http_errors import HTTPError
from webapp.server import command_line, request_checks


@pytest.mark.parametrize("option", ["--max-upload-gb", "--max-song-hours", "--max-songs", "--max-disk-percent"])
@pytest.mark.parametrize("value", ["0", "-1", "x", "inf", "nan"])
def test_limits_must_be_positive_numbers(capsys, option, value):
    with pytest.raises(SystemExit):
        command_line.parse([f"{option}={value}"])
    assert option in capsys.readouterr().err


def test_limits_are_passed_on_by_the_environment(monkeypatch):
    chosen = Limits(max_upload_gb=0.5, max_song_hours=1, max_songs=3, max_disk_percent=7.5, keep_hours=2)
    for name, value in chosen.variables().items():
        monkeypatch.setenv(name, value)
    assert limits.current() == chosen


def test_without_options_the_defaults_hold():
    assert limits.current() == Limits()


def test_the_upload_limit_is_exact():
    head = Message()
    head["Host"], head["Content-Length"] = "localhost", str(Limits().max_upload_bytes)
    assert request_checks.check("POST", head, Limits()) == Limits().max_upload_bytes
    head.replace_header("Content-Length", str(Limits().max_upload_bytes + 1))
    with pytest.raises(HTTPError) as refused:
        request_checks.check("POST", head, Limits())
    assert refused.value.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("127.0.0.1", ""),
        ("127.1.2.3", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("192.168.0.7", "192.168.0.7"),
        ("::ffff:192.168.0.7", "192.168.0.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
    ],
)
def test_ipv6_addresses_count_by_their_64_bit_prefix(address, counts_as):
    assert visitors.network(address) == counts_as
