"""A value that is looked up once, and renewed in the background."""

import threading

import pytest

from tests.support.waiting import wait_until
from webapp.engines import lookup
from webapp.engines.lookup import Lookup


class Source:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: OSError | None = None
        self.open = threading.Event()
        self.open.set()

    def __call__(self) -> int:
        self.open.wait(10)
        self.calls += 1
        if self.error:
            raise self.error
        return self.calls


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(lookup.time, "monotonic", lambda: now[0])
    return now


def test_it_is_looked_up_once(clock):
    kept = Lookup(Source())
    assert [kept.get(), kept.get()] == [1, 1]
    kept.renew()
    assert kept.get() == 1
    kept.clear()
    assert kept.get() == 2


def test_an_old_value_is_renewed_without_waiting(clock):
    source = Source()
    kept = Lookup(source)
    kept.get()
    clock[0] += lookup.OLD_SECONDS + 1
    source.open.clear()
    kept.renew()
    kept.renew()
    assert kept.get() == 1
    source.open.set()
    wait_until(lambda: kept.get() == 2)
    assert source.calls == 2


def test_a_stale_value_is_not_used(clock):
    kept = Lookup(Source())
    kept.get()
    clock[0] += lookup.STALE_SECONDS + 1
    kept.renew()
    assert kept.get() == 2


def test_a_failure_in_the_background_keeps_the_value(clock):
    source = Source()
    kept = Lookup(source)
    kept.get()
    source.error = OSError("gone")
    clock[0] += lookup.OLD_SECONDS + 1
    kept.renew()
    wait_until(lambda: source.calls == 2)
    assert kept.get() == 1
