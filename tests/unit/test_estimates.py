"""Estimates of when a queued or running job will be done."""

import time

import pytest

from webapp.jobs.estimates import Estimates, status_of
from webapp.jobs.job import Job


def test_a_clock_set_back_gives_no_estimate():
    about = {"id": "0", "name": "a", "seconds": 10.0, "started": 100.0}
    done = Job(state="done", **about, model_loaded=200.0, finished=150.0)
    waiting = Job(state="queued", **about)
    assert Estimates([done, waiting]).ends([]) == []


YEAR = 365 * 24 * 3600


@pytest.mark.parametrize("since", [-YEAR, 1])
def test_progress_of_a_running_job_after_the_clock_changed(tmp_path, since):
    about = {"id": "0" * 32, "name": "a", "seconds": 10.0}
    log = tmp_path / "log.txt"
    log.write_text("\rseparating:  50%|")

    class Logged(Job):
        log = tmp_path / "log.txt"

    now = status_of(Logged(state="running", **about, started=time.time() - since))
    assert now.elapsed >= 0
    assert now.seconds_left is None if since < 0 else now.seconds_left > 0


def song(number: int, state: str, **fields) -> Job:
    return Job(id=f"{number:032x}", state=state, name="x", seconds=100.0, queue_number=number, **fields)


def test_estimates_follow_the_speed_of_earlier_jobs():
    done = [song(0, "done", started=1000.0, finished=1000.0 + seconds) for seconds in (40, 50, 60)]
    running, first, second = song(1, "running"), song(2, "queued"), song(3, "queued")
    forecast = Estimates((second, *done, running, first))
    assert [forecast.position(first), forecast.position(second)] == [1, 2]
    assert forecast.ends([10.0]) == pytest.approx([60, 110])
    assert forecast.ends([10.0, 20.0]) == pytest.approx([60, 70])
    assert forecast.ends([None]) == []
    assert Estimates((first,)).ends([]) == []
    assert Estimates(done).seconds_until_done(first) == pytest.approx(50)  # it has just left the queue
    assert Estimates((*done, first, second)).seconds_until_done(second) == pytest.approx(100)
