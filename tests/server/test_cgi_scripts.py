"""CGI scripts that fail or do not answer, and idle connections."""

import socket

import pytest

from tests.support import processes
from tests.support.forms import file_part
from tests.support.project import failing_script, job_folders
from tests.support.waiting import wait_until


def wait_until_no_folders(home) -> None:
    wait_until(lambda: not job_folders(home), message="a folder stays behind")


def put_script(home, lines: str) -> None:
    (home / "cgi-bin" / "job.py").write_text(lines)


@pytest.mark.parametrize(
    "lines",
    [
        "import time; time.sleep(100)",
        "print('Status: 200 OK'); import time; time.sleep(100)",
        "while True: pass",
        "raise SystemExit('no answer')",
        "print('no head at all')",
        "print('Status: nonsense\\n\\nx')",
        "print('Content-Type: text/plain\\n\\nno status')",
        "import os; os.kill(os.getpid(), 9)",
    ],
)
def test_a_script_that_does_not_answer_is_killed_and_gets_500(home, start_server, lines):
    put_script(home, lines)
    client = start_server(script_seconds=1).client()
    reply = client.get("/cgi-bin/job.py?job=x")
    assert reply.status == 500
    assert 'role="alert"' in reply.text
    assert client.get_json("/cgi-bin/job.py?job=x").json().keys() == {"error"}
    processes.wait_until_gone(home, "job.py")
    assert client.get("/").status == 200


@pytest.mark.parametrize("header", ["Cookie", "Accept"])
def test_a_header_that_is_too_long_for_a_script_gets_431(client, header):
    """In UTF-8 it is twice as long; a folded line is longer than one line may be."""
    lines = f"{header}: " + "\xe9" * 45_000 + "\r\n " + "\xe9" * 45_000
    assert client.raw_get("/cgi-bin/songs.py", lines).status == 431


def test_a_script_that_cannot_be_started_gets_500(start_server):
    server = start_server(max_variable_bytes=1 << 30)  # so that only the system refuses
    server_client = server.client()
    lines = "Cookie: " + "\xe9" * 60_000 + "\r\n " + "\xe9" * 60_000
    assert server_client.raw_get("/cgi-bin/songs.py", lines).status == 500
    assert "Traceback" not in server.log.read_text()
    assert "cannot be started" in server.log.read_text()


CHATTY = """
import os, sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from webapp.cgi import response, script

def main(request):
    os.write(1, b"a library in C says something")
    response.send_page("the page")
    os.write(1, b"and more")

script.run(main)
"""


def test_what_a_library_prints_is_not_in_the_response(home, start_server):
    put_script(home, CHATTY)
    client = start_server().client()
    assert client.get("/cgi-bin/job.py?job=x").text == "the page"


def test_a_response_ends_where_it_says(home, start_server):
    put_script(home, "print('Status: 200 OK\\nContent-Length: 3\\n\\nabcdef', end='')")
    assert (
        start_server()
        .client()
        .raw(b"GET /cgi-bin/job.py HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")[-7:]
        == b"\r\n\r\nabc"
    )


def test_a_traceback_is_logged_and_not_shown(home, start_server):
    put_script(home, failing_script("a secret"))
    server = start_server()
    reply = server.client().get("/cgi-bin/job.py?job=x")
    assert reply.status == 500
    assert b"secret" not in reply.body
    assert b"Traceback" not in reply.body
    assert "a secret" in server.log.read_text()


@pytest.mark.parametrize("nb_bytes", [500, 100_000])
def test_a_stalled_upload_times_out(home, start_server, nb_bytes):
    """Before a script is started for it, and after."""
    client = start_server(idle_seconds=1).client()
    with client.open_upload(200_000) as connection:
        connection.sendall(file_part(bytes(200_000))[:nb_bytes])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert b"cancelled" in answer
    wait_until_no_folders(home)


def test_an_idle_connection_is_closed(start_server):
    client = start_server(idle_seconds=1).client()
    for sent in (b"", b"GET / HTTP/1.1\r\n"):
        with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection:
            connection.sendall(sent)
            assert connection.recv(100) == b""
