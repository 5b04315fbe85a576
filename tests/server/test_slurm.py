"""The queue on a real Slurm cluster: separations run on its nodes, and its faults lose no song."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.support import fake_engine, processes, slurm
from tests.support.documents import block_with
from tests.support.waiting import wait_until
from tests.support.wave_files import SONG

COMMAND = block_with("docs/cluster.md", "srun --quiet").strip()
SRUN = COMMAND.partition("--run-with '")[2].rstrip("'").replace(" --cpus-per-task=2", "")


@pytest.fixture(scope="module")
def running_cluster(tmp_path_factory):
    with slurm.cluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture
def cluster(running_cluster, monkeypatch):
    """The cluster, all of whose nodes are up; programs that this test starts find it."""
    for name, value in running_cluster.environment.items():
        monkeypatch.setenv(name, value)
    yield running_cluster
    if "controller" not in running_cluster.processes:
        running_cluster.start_controller()
    for name in running_cluster.nodes:
        if name not in running_cluster.processes:
            running_cluster.start_node(name)
    running_cluster.wait_until_ready()


@pytest.fixture
def client(cluster, fake_engine_home, start_server):
    return start_server("--workers=4", f"--run-with={SRUN}", scheduler_retry_seconds=1).client()


def queued(client) -> str:
    job = client.uploaded_job(SONG)
    assert client.separate(job).status == 202
    return job


def node_of(cluster, job: str) -> str:
    """The node that runs a job now."""
    return cluster.output("squeue", "--noheader", f"--name=song-{job[:8]}", "--states=RUNNING", "--format=%N").strip()


def events_of(home, job: str) -> list[str]:
    return [event for name, event in fake_engine.events(home) if name == job]


def test_songs_run_on_all_slots_and_no_song_twice(client, fake_engine_home):
    jobs = [queued(client) for _ in range(10)]
    for job in jobs:
        client.wait_for(job, "done")
        assert client.get(client.state(job)["stems"][0]["url"]).body == SONG
    assert sorted(fake_engine.events(fake_engine_home)) == sorted(
        (job, event) for job in jobs for event in ("starts", "ends")
    )


def running(client, home) -> str:
    """A song that runs on a node until the fake engine is configured to be fast."""
    fake_engine.configure(home, seconds=fake_engine.FOREVER)
    job = queued(client)
    fake_engine.wait_until_started(home, job)
    return job


def test_a_song_waits_for_a_free_slot_and_its_page_says_so(cluster, fake_engine_home, start_server):
    client = start_server("--workers=5", f"--run-with={SRUN}").client()
    ahead = [running(client, fake_engine_home) for _ in range(4)]
    job = queued(client)
    client.wait_for(job, "running")
    wait_until(lambda: "Waiting for a machine that separates it." in client.get(f"/cgi-bin/job.py?job={job}").text)
    assert client.state(job)["seconds_left"] is None
    fake_engine.configure(fake_engine_home)
    for one in (*ahead, job):
        client.wait_for(one, "done")


@pytest.mark.parametrize("state", ["running", "waiting"])
def test_a_deleted_song_leaves_the_cluster(cluster, fake_engine_home, start_server, state):
    client = start_server("--workers=5", f"--run-with={SRUN}").client()
    jobs = [running(client, fake_engine_home) for _ in range(1 if state == "running" else 4)]
    if state == "waiting":
        jobs.append(queued(client))
        wait_until(lambda: "PD" in cluster.output("squeue", "--noheader", "--format=%t"))
    client.post("/cgi-bin/delete.py", job=jobs[-1])
    wait_until(lambda: f"song-{jobs[-1][:8]}" not in cluster.output("squeue", "--noheader", "--format=%j"))
    processes.wait_until_gone(fake_engine_home, jobs[-1])
    wait_until(lambda: not (fake_engine_home / "uploads" / jobs[-1]).exists())
    fake_engine.finish_jobs(fake_engine_home)


def test_a_song_of_a_node_that_dies_runs_again_on_another(cluster, client, fake_engine_home):
    job = running(client, fake_engine_home)
    first = node_of(cluster, job)
    cluster.kill_node(first)
    wait_until(lambda: events_of(fake_engine_home, job).count("starts") == 2, 60)
    wait_until(lambda: node_of(cluster, job) not in ("", first))
    fake_engine.configure(fake_engine_home)
    client.wait_for(job, "done")
    assert events_of(fake_engine_home, job) == ["starts", "starts", "ends"]


def test_a_song_whose_srun_is_killed_runs_again_and_never_twice_at_once(client, fake_engine_home):
    job = running(client, fake_engine_home)
    for pid in processes.find(fake_engine_home, f"srun --quiet --ntasks=1 --job-name=song-{job[:8]}"):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: events_of(fake_engine_home, job).count("starts") == 2, 60)
    fake_engine.configure(fake_engine_home)
    client.wait_for(job, "done")
    assert events_of(fake_engine_home, job) == ["starts", "starts", "ends"]


def test_songs_wait_while_the_controller_is_down(cluster, client, fake_engine_home):
    cluster.kill_controller()
    job = queued(client)
    wait_until(lambda: "cannot be reached at the moment" in client.get(f"/cgi-bin/job.py?job={job}").text, 60)
    cluster.start_controller()
    client.wait_for(job, "done")
    assert client.state(job)["note"] == ""


def test_a_killed_server_loses_no_song_on_the_cluster(cluster, fake_engine_home, start_server):
    options = ("--workers=4", f"--run-with={SRUN}")
    server = start_server(*options)
    jobs = [running(server.client(), fake_engine_home) for _ in range(2)]
    server.kill()
    client = start_server(*options).client()
    fake_engine.configure(fake_engine_home)
    for job in jobs:
        client.wait_for(job, "done")
        assert "overlaps" not in events_of(fake_engine_home, job)


def test_a_drained_cluster_keeps_songs_waiting(cluster, client, fake_engine_home):
    cluster.output("scontrol", "update", "nodename=ALL", "state=drain", "reason=test")
    job = queued(client)
    wait_until(lambda: "Waiting for a machine that separates it." in client.get(f"/cgi-bin/job.py?job={job}").text)
    cluster.output("scontrol", "update", "nodename=ALL", "state=resume")
    client.wait_for(job, "done")


def test_the_job_array_in_the_docs_separates_all_files_and_goes_on(cluster, home, song):
    (home / ".venv").symlink_to(sys.prefix)
    (home / "music").mkdir()
    for number in range(3):
        shutil.copy(song(0.2), home / "music" / f"{number}.wav")
    script = block_with("docs/cluster.md", "sbatch")
    _run_in(home, script)
    stems = sorted(home.glob("stems/*/*.wav"))
    assert [path.relative_to(home / "stems").as_posix() for path in stems] == [
        f"{number}/{stem}.wav" for number in range(3) for stem in ("music", "vocals")
    ]
    before = [path.stat().st_mtime_ns for path in stems[2:]]
    stems[0].unlink()
    _run_in(home, script)
    assert stems[0].exists()
    assert [path.stat().st_mtime_ns for path in stems[2:]] == before


def _run_in(home, script: str) -> None:
    result = subprocess.run(["sh", "-e", "-c", script], cwd=home, capture_output=True, text=True, check=False)  # noqa: S607
    assert result.returncode == 0, result.stderr + "".join(log.read_text() for log in home.glob("*.log"))
