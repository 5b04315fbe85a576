"""The pace that is expected of clients."""

from webapp.limits import Limits
from webapp.pace import Pace

LIMITS = Limits(min_bytes_per_second=1000, first_seconds=10.0, idle_seconds=60)


def test_a_client_that_sends_nothing_has_the_first_seconds():
    pace = Pace(LIMITS)
    pace.count(0, 9.9)
    assert not pace.is_too_slow
    pace.count(0, 0.1)
    assert pace.is_too_slow


def test_a_client_at_the_minimum_pace_goes_on_without_end():
    pace = Pace(LIMITS)
    for _ in range(1000):
        pace.count(1000, 1.0)
    assert not pace.is_too_slow


def test_a_client_below_the_minimum_pace_is_too_slow_at_last():
    pace = Pace(LIMITS)
    for _ in range(21):
        pace.count(500, 1.0)
    assert pace.is_too_slow


def test_what_a_fast_client_gains_is_limited():
    pace = Pace(LIMITS)
    pace.count(10**9, 0.0)
    assert pace.seconds_left == 60
