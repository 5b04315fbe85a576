"""Rate limits: concurrent callers, and the reset every minute."""

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from types import SimpleNamespace

import pytest

from webapp.limits import Limits
from webapp.pages.http_errors import HTTPError
from webapp.server import rate_limit
from webapp.server.password import Password

RACERS = 8


class Dawdling:
    """A lock that pauses after each release, so that all other threads run in between."""

    def __init__(self):
        self._lock = threading.Lock()

    def __enter__(self):
        self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()
        time.sleep(0.05)


@pytest.fixture
def dawdling(monkeypatch):
    monkeypatch.setattr(rate_limit, "threading", SimpleNamespace(Lock=Dawdling))


def race(deed) -> list[int]:
    """The HTTP statuses that RACERS concurrent calls are refused with, 0 for success."""

    def status(_: int) -> int:
        try:
            deed()
        except HTTPError as refusal:
            return refusal.status
        return 0

    with ThreadPoolExecutor(RACERS) as racers:
        return sorted(racers.map(status, range(RACERS)))


@pytest.mark.usefixtures("dawdling")
def test_concurrent_callers_get_no_more_than_the_limit():
    rate = rate_limit.RateLimit(3, "No.", clock=lambda: 1000.0)
    assert race(lambda: rate.spend("a")) == [0] * 3 + [429] * (RACERS - 3)


@pytest.mark.usefixtures("dawdling")
def test_concurrent_password_guesses_do_not_exceed_the_limit(tmp_path):
    (tmp_path / "password").write_text("open sesame\n")
    (tmp_path / "password").chmod(0o600)
    password = Password(tmp_path / "password", Limits(max_wrong_passwords=3), clock=lambda: 1000.0)
    guess = Message()
    guess["Authorization"] = "Basic " + base64.b64encode(b"me:a wrong one").decode()
    assert race(lambda: password.check(guess, "a")) == [401] * 3 + [429] * (RACERS - 3)


def test_the_rate_limit_resets_every_minute():
    now = 1000.0 * rate_limit.WINDOW_SECONDS + 50
    rate = rate_limit.RateLimit(2, "No.", clock=lambda: now)
    for _ in range(2):
        rate.spend("a")
    with pytest.raises(HTTPError) as refused:
        rate.spend("a")
    assert refused.value.headers == {"Retry-After": "10"}
    rate.spend("b")
    now += 10
    rate.spend("a")
