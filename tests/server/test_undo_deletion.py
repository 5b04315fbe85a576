"""Deletions by visitors can be undone for a while; those by programs cannot."""

import html

import pytest

from tests.support import wave_files
from tests.support.waiting import wait_until

DELETE, RESTORE = "/cgi-bin/delete.py", "/cgi-bin/restore.py"
FOREVER = 3600.0
PICTURES = (".peaks", ".spectrogram", ".part")


@pytest.fixture
def client(fake_engine_server):
    return fake_engine_server.client()


def files(home, job: str) -> dict[str, bytes]:
    """The content of all files of a job, wherever it is, but for pictures, which are drawn when a job is done."""
    folders = [*(home / "uploads").glob(f"*{job}"), home / "downloads" / job]
    return {
        path.name: path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in PICTURES and path.name != ".pictures"
    }


def test_a_deleted_upload_is_gone_and_comes_back_unchanged(client, fake_engine_server):
    job = client.uploaded_job(wave_files.wav(), "My Søng.wav")
    before = files(fake_engine_server.home, job)
    reply = client.post(DELETE, job=job)
    assert (reply.status, reply.headers["Location"]) == (303, f"/?deleted={job}")
    for path in (f"/cgi-bin/job.py?job={job}", f"/cgi-bin/uploaded.py?job={job}", f"/downloads/{job}/mixture.wav"):
        gone = client.get(path)
        assert gone.status == 404
        assert "This song was deleted." in gone.text
        assert f'action="{RESTORE}"' in gone.text
    assert client.get_json(f"/cgi-bin/job.py?job={job}").json() == {"error": "This song was deleted."}
    notice = html.unescape(client.get(f"/?deleted={job}").text)
    assert "My Søng.wav was deleted from this machine." in notice
    assert RESTORE in notice
    restored = client.post(RESTORE, job=job)
    assert (restored.status, restored.headers["Location"]) == (303, f"/cgi-bin/job.py?job={job}")
    assert files(fake_engine_server.home, job) == before
    assert client.state(job)["state"] == "uploaded"
    assert "deleted" not in client.get(f"/?deleted={job}").text.partition("<main")[2]
    client.separate(job)
    client.wait_for(job, "done")


def test_a_deleted_result_comes_back_with_its_stems(client):
    job = client.finished_job(wave_files.wav())
    stems = client.state(job)["stems"]
    content = [client.get(stem["url"]).body for stem in stems]
    client.post(DELETE, job=job)
    assert [client.get(stem["url"]).status for stem in stems] == [404, 404]
    client.post(RESTORE, job=job)
    assert [client.get(stem["url"]).body for stem in stems] == content


def test_the_list_of_songs_says_what_was_deleted(client):
    uploaded = client.upload(wave_files.wav(), "one.wav")
    cookie = {"Cookie": uploaded.headers["Set-Cookie"].split(";")[0]}
    job = uploaded.headers["Location"].partition("job=")[2]
    reply = client.post(DELETE, job=job, back="songs")
    assert reply.headers["Location"] == f"/cgi-bin/songs.py?deleted={job}"
    page = client.get(reply.headers["Location"], **cookie).text
    assert "one.wav was deleted" in page
    assert f"song-{job}" not in page
    assert client.post(RESTORE, job=job, back="songs").headers["Location"] == "/cgi-bin/songs.py"
    assert f"song-{job}" in client.get("/cgi-bin/songs.py", **cookie).text


def test_a_program_deletes_for_good(client, fake_engine_server):
    job = client.uploaded_job(wave_files.wav())
    client.post(DELETE, json_wanted=True, job=job)
    assert files(fake_engine_server.home, job) == {}
    assert client.post(RESTORE, json_wanted=True, job=job).status == 404
    assert "The song was deleted from this machine." in client.get(f"/?deleted={job}").text


@pytest.mark.parametrize("job", ["", "0" * 31, "../uploads", ".deleted-" + "0" * 32, "<b>"])
def test_only_deleted_jobs_can_be_restored(client, job):
    assert client.post(RESTORE, json_wanted=True, job=job).status == 404
    page = client.get("/?deleted=" + job.replace("<", "%3C"))
    assert page.status == 200
    assert "deleted from this machine" not in page.text
    assert "<b>" not in page.text


def test_after_a_while_the_files_are_removed(fake_engine_home, start_server):
    client = start_server(undo_seconds=1.0, cleanup_seconds=0.2).client()
    job = client.finished_job(wave_files.wav())
    client.post(DELETE, job=job)
    assert files(fake_engine_home, job)
    wait_until(lambda: not [*fake_engine_home.glob(f"*loads/*{job}")])
    assert client.post(RESTORE, json_wanted=True, job=job).status == 404


def test_until_then_a_cleanup_keeps_everything(fake_engine_home, start_server):
    client = start_server(undo_seconds=FOREVER, cleanup_seconds=0.1, cleanup_grace_seconds=0.1).client()
    kept, other = client.finished_job(wave_files.wav()), client.uploaded_job(wave_files.wav())
    before = files(fake_engine_home, kept)
    client.post(DELETE, job=kept)
    (fake_engine_home / "downloads" / ("0" * 32)).mkdir()
    wait_until(lambda: not (fake_engine_home / "downloads" / ("0" * 32)).exists())  # a cleanup has been here
    client.post(RESTORE, job=kept)
    assert files(fake_engine_home, kept) == before
    assert client.state(other)["state"] == "uploaded"


def test_deleted_songs_make_room_when_space_is_short(fake_engine_home, start_server):
    """The disk has less space left than the limit spares, so that no upload is accepted unless one is removed."""
    server = start_server(undo_seconds=FOREVER)
    client = server.client()
    job = client.uploaded_job(wave_files.wav())
    client.post(DELETE, job=job)
    server.stop()
    client = start_server(undo_seconds=FOREVER, spare_disk_bytes=1 << 60).client()
    assert client.upload(wave_files.wav(), json_wanted=True).status == 503
    assert files(fake_engine_home, job) == {}
