"""The states of a job and what is stored of it."""

import json

import pytest

from webapp import paths
from webapp.errors import EngineNotFound, JobNotFound
from webapp.jobs import store
from webapp.jobs.job import TRANSITIONS, InvalidTransition, Job, JobState


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "UPLOADS", tmp_path / "uploads")
    monkeypatch.setattr(paths, "DOWNLOADS", tmp_path / "downloads")
    monkeypatch.setattr(paths, "CHANGES", tmp_path / ".changes")


def job_in(state: JobState, **fields) -> Job:
    return Job(id="0" * 32, state=state, name="song.wav", seconds=1.0, **fields)


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("following", JobState)
def test_a_job_moves_along_the_transitions_only(state, following):
    job = job_in(state)
    if following in TRANSITIONS[state]:
        job.move_to(following)
        assert job.state == following
    else:
        with pytest.raises(InvalidTransition):
            job.move_to(following)
        assert job.state == state


def test_properties_of_the_states():
    asked = {
        state: (job.is_pending, job.is_unfinished, job.is_done, job.can_be_queued)
        for state in JobState
        if (job := job_in(state))
    }
    assert asked == {
        JobState.UPLOADED: (False, True, False, True),
        JobState.QUEUED: (True, True, False, False),
        JobState.RUNNING: (True, True, False, False),
        JobState.DONE: (False, False, True, False),
        JobState.FAILED: (False, False, False, True),
        JobState.CANCELLED: (False, False, False, False),
    }


@pytest.mark.parametrize("state", JobState)
def test_a_saved_job_is_loaded_as_it_was(folders, state):
    job = job_in(state, note="{a}", note_values={"a": "b"}, model_loaded=3.5)
    job.folder.mkdir(parents=True)
    store.save(job)
    assert store.load(job.id) == job
    assert json.loads(job.state_file.read_text())["state"] == state.value


def test_a_state_file_of_an_earlier_version_is_loaded(folders):
    job = job_in(JobState.DONE)
    job.folder.mkdir(parents=True)
    old = {
        "id": job.id,
        "state": "done",
        "name": "a.wav",
        "seconds": 1.0,
        "started": 1.0,
        "begun": 2.0,
        "finished": 3.0,
    }
    job.state_file.write_text(json.dumps(old | {"a field of another version": 1}))
    assert store.load(job.id).separation_started == 2.0


@pytest.mark.parametrize("state", ["", "Done", "deleted", None, 1, [], {}])
def test_an_unknown_state_is_a_damaged_file(folders, state):
    job = job_in(JobState.DONE)
    job.folder.mkdir(parents=True)
    job.state_file.write_text(json.dumps({"id": job.id, "state": state, "name": "a.wav", "seconds": 1.0}))
    with pytest.raises(JobNotFound):
        store.load(job.id)


def test_stems_are_those_of_a_job_that_is_done():
    assert list(job_in(JobState.DONE).stems()) == ["vocals", "music"]
    assert job_in(JobState.RUNNING).stems() == {}
    assert list(job_in(JobState.RUNNING).stem_paths()) == ["vocals", "music"]


def test_a_job_whose_engine_was_removed_has_no_stems():
    job = job_in(JobState.DONE, engine="removed")
    assert job.stems() == {}
    with pytest.raises(EngineNotFound, match="removed"):
        job.command(job.source, job.outdir)
