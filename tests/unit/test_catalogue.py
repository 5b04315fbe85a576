"""The catalogue of jobs reads only changed states from disk, and is always up to date."""

import os
import subprocess
import sys

import pytest

from tests.support.project import PROJECT
from webapp import paths
from webapp.jobs import admission, journal, store
from webapp.jobs.catalogue import Catalogue
from webapp.jobs.job import Job, JobState


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    """An uploads folder for one test."""
    monkeypatch.setattr(paths, "DOWNLOADS", tmp_path / "downloads")
    monkeypatch.setattr(paths, "UPLOADS", tmp_path)
    monkeypatch.setattr(paths, "CHANGES", tmp_path / ".changes")
    return tmp_path


@pytest.fixture
def reads(monkeypatch):
    """The ids of the jobs whose state was read from disk so far."""
    read, load = [], store.load
    monkeypatch.setattr(store, "load", lambda job_id: read.append(job_id) or load(job_id))
    return read


def admitted(number: int) -> Job:
    folder = paths.UPLOADS / f"{number:032x}"
    folder.mkdir()
    return admission.create_job(folder, name=f"{number}.wav", seconds=1.0, cut_off=False)


def test_a_state_is_read_once_and_again_only_when_it_changes(uploads, reads):
    ids = {admitted(number).id for number in range(5)}
    known = Catalogue()
    for _ in range(10):
        assert {job.id for job in known.all_jobs()} == ids
    assert sorted(reads) == sorted(ids)
    with store.changing(min(ids)) as job:
        job.move_to(JobState.QUEUED)
    del reads[:]
    assert sorted(job.state for job in known.all_jobs()) == ["queued"] + 4 * ["uploaded"]
    assert reads == [min(ids)]


def test_rapid_changes_are_seen_at_once(uploads):
    job_id, known = admitted(1).id, Catalogue()
    for number in range(100):
        with store.changing(job_id) as job:
            job.attempts = number
        assert [job.attempts for job in known.all_jobs()] == [number]


def test_changes_by_another_process_are_seen(uploads):
    job_id, known = admitted(1).id, Catalogue()
    assert [job.name for job in known.all_jobs()] == ["1.wav"]
    change = """
import sys, pathlib
from webapp import paths
from webapp.jobs import store
paths.UPLOADS = pathlib.Path(sys.argv[1])
paths.CHANGES = paths.UPLOADS / ".changes"
with store.changing(sys.argv[2]) as job:
    job.name = "another.wav"
"""
    subprocess.run([sys.executable, "-c", change, str(uploads), job_id], cwd=PROJECT, check=True)
    assert [job.name for job in known.all_jobs()] == ["another.wav"]
    store.delete(job_id)
    assert known.all_jobs() == ()


def test_a_change_without_a_notification_is_seen_at_the_next_scan(uploads):
    now = 1000.0
    job, known = admitted(1), Catalogue(rescan_seconds=5.0, clock=lambda: now)
    known.all_jobs()
    job.move_to(JobState.QUEUED)
    store.save(job)
    now += 5.0
    assert [job.state for job in known.all_jobs()] == ["queued"]


def test_a_change_costs_no_look_at_the_other_jobs(uploads, monkeypatch):
    jobs, known = [admitted(number) for number in range(20)], Catalogue()
    known.all_jobs()
    looked_at, stat = [], os.stat
    monkeypatch.setattr(os, "stat", lambda path, **options: looked_at.append(str(path)) or stat(path, **options))
    with store.changing(jobs[7].id) as job:
        job.move_to(JobState.QUEUED)
    assert [job.id for job in known.all_jobs() if job.state == "queued"] == [jobs[7].id]
    assert not [path for path in looked_at if "state.json" in path and jobs[7].id not in path]


def test_a_journal_that_begins_anew_loses_no_change(uploads, monkeypatch):
    monkeypatch.setattr(journal, "MAX_BYTES", 100)
    jobs, known = [admitted(number) for number in range(3)], Catalogue()
    for number in range(20):
        with store.changing(jobs[number % 3].id) as job:
            job.attempts = number
        assert max(job.attempts for job in known.all_jobs()) == number
    assert paths.CHANGES.stat().st_size <= 100 + journal.LINE_BYTES


def test_a_full_disk_delays_a_change_until_the_next_scan(uploads, monkeypatch):
    now = 1000.0
    job_id, known = admitted(1).id, Catalogue(rescan_seconds=5.0, clock=lambda: now)
    known.all_jobs()
    monkeypatch.setattr(journal, "record", lambda job_id: None)
    with store.changing(job_id) as job:
        job.move_to(JobState.QUEUED)
    now += 5.0
    assert [job.state for job in known.all_jobs()] == ["queued"]
