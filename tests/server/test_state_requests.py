"""Requests for a job's state, which open pages send every second and the server answers itself."""

BROKEN_VIEW = """
from webapp.pages import views

def fail(*_):
    raise RuntimeError("a secret")

views.progress_sentence = fail
"""


def test_state_requests_start_no_script(fake_engine_home, start_server):
    client = start_server().client()
    for script in ("job", "songs"):
        (fake_engine_home / "cgi-bin" / f"{script}.py").write_text("raise SystemExit")
        assert client.get(f"/cgi-bin/{script}.py").status == 500
    assert client.get_json(f"/cgi-bin/job.py?job={'0' * 32}").status == 404
    assert client.get_json("/cgi-bin/songs.py").json() == {"songs": []}


def test_an_error_in_a_state_request_does_not_stop_the_server(fake_engine_home, start_server):
    server = start_server(patch=BROKEN_VIEW)
    job = quick_job(server, fake_engine_home)
    reply = server.client().get_json(f"/cgi-bin/job.py?job={job}")
    assert reply.status == 500
    assert "secret" not in reply.text
    assert "a secret" in server.log.read_text()
    assert server.client().get("/").status == 200


def quick_job(server, home) -> str:
    """Create a job without an upload."""
    folder = home / "uploads" / ("0" * 32)
    folder.mkdir()
    (folder / "state.json").write_text(f'{{"id": "{folder.name}", "state": "uploaded", "name": "x", "seconds": 1.0}}')
    return folder.name
