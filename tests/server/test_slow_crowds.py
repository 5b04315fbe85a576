"""Many slow clients take all slots of a kind: the slowest of them give way to others."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import fake_engine, wave_files
from tests.support.connections import open_file_limit
from tests.support.slow_clients import BEGUN, EARNED, do_nothing, read, send, slow_clients
from tests.support.waiting import wait_until
from tests.support.wave_files import SONG

LONG_SONG = wave_files.wav(bytes(8 << 20))
# Addresses of this machine other than 127.0.0.1 stand for networks.
NETWORKS = """
from webapp.pages import visitors
visitors.network = lambda address: "" if address == "127.0.0.1" else address
"""


@pytest.mark.parametrize(
    ("sent", "act", "pause"),
    [(BEGUN, do_nothing, 1.0), (EARNED, do_nothing, 1.0), (EARNED, send(10_000), 0.25)],
    ids=["450 bytes, then nothing", "70 kB, then nothing", "40 kB a second"],
)
def test_half_begun_uploads_do_not_keep_others_from_uploading(start_server, sent, act, pause):
    client = start_server(max_uploads=4, slot_seconds=60).client()  # scripts start slowly on a busy machine
    with slow_clients(client.port, 12, sent, act, pause):
        for _ in range(3):
            assert client.uploaded_job(SONG)


def test_an_upload_that_gives_way_gets_a_sentence(home, start_server):
    client = start_server(max_uploads=1, slot_seconds=60).client()
    with slow_clients(client.port, 1, EARNED, do_nothing, 1.0) as (slow,):
        wait_until(lambda: list(home.glob("uploads/*/.incoming")))  # it has the slot
        assert client.uploaded_job(SONG)
        slow.settimeout(10)
        answer = b"".join(iter(lambda: slow.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"it was slow and others were waiting" in answer


def test_a_fast_upload_keeps_its_slot(home, start_server):
    client = start_server(max_uploads=1, fair_bytes_per_second=1000, slot_seconds=3).client()
    with slow_clients(client.port, 1, EARNED, send(20_000), 0.1):
        wait_until(lambda: list(home.glob("uploads/*/.incoming")))  # it has the slot
        refused = client.upload(SONG)
        assert client.get("/cgi-bin/songs.py").status == 200
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")


def test_a_complete_upload_is_not_ended_while_it_is_checked(home, start_server):
    """Nobody waits for its client any more."""
    script = home / "cgi-bin" / "upload.py"
    script.write_text(
        script.read_text("utf-8")
        .replace("job = upload", "import time; job = upload")
        .replace("    if request.wants_json", "    time.sleep(4)\n    if request.wants_json", 1),
        "utf-8",
    )
    client = start_server(max_uploads=1, slot_seconds=60).client()
    with ThreadPoolExecutor(2) as visitors:
        assert [one.status for one in visitors.map(lambda _: client.upload(SONG), range(2))] == [303, 303]


def test_an_upload_that_stops_is_ended_after_the_first_seconds(start_server):
    client = start_server(first_seconds=1.0).client()
    with slow_clients(client.port, 1, EARNED, do_nothing, 1.0) as (slow,):
        begin = time.monotonic()
        slow.settimeout(20)
        assert slow.recv(12) == b"HTTP/1.1 408"
        assert time.monotonic() - begin < 10


def test_unread_zips_give_way_to_others(fake_engine_home, start_server):
    fake_engine.configure(fake_engine_home)
    client = start_server(max_streams=2, slot_seconds=60).client()
    path = f"/cgi-bin/zip.py?job={client.finished_job(LONG_SONG)}"
    with slow_clients(client.port, 4, _get(path), do_nothing, 1.0):
        for _ in range(3):
            assert client.get(path).status == 200


def test_an_unread_zip_is_ended_in_time(fake_engine_home, start_server):
    fake_engine.configure(fake_engine_home)
    client = start_server(max_streams=1, idle_seconds=2, fair_bytes_per_second=1, slot_seconds=6).client()
    path = f"/cgi-bin/zip.py?job={client.finished_job(wave_files.wav(bytes(40 << 20)))}"
    with slow_clients(client.port, 1, _get(path), do_nothing, 1.0):
        assert client.get(path).status == 200  # within slot_seconds, else 503


@pytest.mark.parametrize("act", [do_nothing, read(1000)])
def test_slow_readers_of_a_file_give_way_to_others(start_server, act):
    client = start_server(max_connections=20).client()
    path = f"/downloads/{client.uploaded_job(LONG_SONG)}/mixture.wav"
    with slow_clients(client.port, 40, _get(path), act, 0.2):
        time.sleep(1.5)
        for _ in range(20):
            assert client.get("/").status == 200


def test_a_slow_reader_of_a_file_is_ended(start_server):
    client = start_server(idle_seconds=2, min_bytes_per_second=1 << 20).client()
    path = f"/downloads/{client.uploaded_job(LONG_SONG)}/mixture.wav"
    with slow_clients(client.port, 1, _get(path), read(20_000), 0.1) as (reader,), contextlib.suppress(OSError):
        end = time.monotonic() + 15
        while time.monotonic() < end:
            time.sleep(0.1)
            reader.setblocking(True)
            reader.settimeout(0.01)
            reader.send(b"x")
        pytest.fail("the server goes on sending")


def test_one_network_cannot_take_all_connections(start_server):
    client = start_server(max_connections=40, patch=NETWORKS).client()
    with open_file_limit(1024), slow_clients(client.port, 200, b"GET / HT", send(1), 0.1, source="127.0.0.2"):
        begin = time.monotonic()
        for _ in range(20):
            assert client.get("/").status == 200
        assert time.monotonic() - begin < 5


def test_one_network_cannot_take_all_upload_slots(start_server):
    limits = {"max_uploads": 8, "fair_bytes_per_second": 1, "slot_seconds": 2}
    client = start_server(patch=NETWORKS, **limits).client()
    with slow_clients(client.port, 20, EARNED, send(20_000), 0.1, source="127.0.0.2"):
        time.sleep(0.5)
        assert client.uploaded_job(SONG)


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
