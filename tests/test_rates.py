"""A limit holds for those who come at the same moment, too."""

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from types import SimpleNamespace

import pytest

from tests.test_bad_input import SONG
from webapp.refusal import Refusal
from webapp.serving import rates
from webapp.serving.password import Password

RACERS = 8


class Dawdling:
    """A lock whose holder pauses when it has let go, so that all others come between."""

    def __init__(self):
        self._lock = threading.Lock()

    def __enter__(self):
        self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()
        time.sleep(0.05)


@pytest.fixture
def dawdling(monkeypatch):
    monkeypatch.setattr(rates, "threading", SimpleNamespace(Lock=Dawdling))
    monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=lambda: 1000.0))  # no minute ends meanwhile


def race(deed) -> list[int]:
    """What so many at once are refused with, 0 for nothing."""

    def status(_: int) -> int:
        try:
            deed()
        except Refusal as refusal:
            return refusal.status
        return 0

    with ThreadPoolExecutor(RACERS) as racers:
        return sorted(racers.map(status, range(RACERS)))


@pytest.mark.usefixtures("dawdling")
def test_racers_get_no_more_than_the_limit():
    rate = rates.Rate(3, "No.")
    assert race(lambda: rate.spend("a")) == [0] * 3 + [429] * (RACERS - 3)


@pytest.mark.usefixtures("dawdling")
def test_racers_guess_no_more_passwords_than_the_limit(tmp_path, monkeypatch):
    (tmp_path / "password").write_text("open sesame\n")
    (tmp_path / "password").chmod(0o600)
    monkeypatch.setattr("webapp.serving.password.MAX_WRONG_PASSWORDS", 3)
    password = Password(tmp_path / "password")
    guess = Message()
    guess["Authorization"] = "Basic " + base64.b64encode(b"me:a wrong one").decode()
    assert race(lambda: password.check(guess, "a")) == [401] * 3 + [429] * (RACERS - 3)


def test_whoever_sits_at_this_machine_may_send_as_many_songs_a_minute_as_they_like(limited):
    client = limited(MAX_UPLOADS_A_MINUTE=2)
    for _ in range(4):
        assert client.uploaded_job(SONG)
