"""Other users of the machine: they can neither read songs nor learn the ids by which a browser reads them."""

import os
import stat
import threading
from pathlib import Path

import pytest

from tests.support import wave_files
from tests.support.tagged_files import WHOLE, chunk, wave_with
from tests.support.waiting import wait_until

if os.name == "nt":
    pytest.skip("Windows has other permissions", allow_module_level=True)
SHARED = stat.S_IRWXG | stat.S_IRWXO


def _open_to_others(*folders: Path) -> list[Path]:
    found = [path for folder in folders for path in (folder, *folder.rglob("*")) if not path.is_symlink()]
    return [path for path in found if path.stat().st_mode & SHARED]


def test_songs_and_stems_belong_to_the_servers_user_alone(fake_engine_home, start_server):
    (fake_engine_home / "uploads").mkdir(mode=0o755)
    client = start_server().client()
    job = client.finished_job(wave_files.wav())
    wait_until(lambda: client.get(f"/downloads/{job}/music.spectrogram").status == 200)
    folders = fake_engine_home / "uploads", fake_engine_home / "downloads"
    assert _open_to_others(*folders) == []
    assert sorted(path.name for path in (folders[1] / job / "song").iterdir()) == ["residual.wav", "vocals.wav"]
    assert list(folders[0].glob(".links/*")) == []


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads command lines as Linux shows them")
def test_no_command_line_contains_a_jobs_id(fake_engine_home, start_server):
    client = start_server().client()
    job = client.uploaded_job(wave_with(chunk(b"id3 ", WHOLE)))
    seen, stop = [], threading.Event()
    watching = threading.Thread(target=_watch, args=(job.encode(), seen, stop))
    watching.start()
    client.separate(job)
    client.wait_for(job, "done")
    wait_until(lambda: client.get(f"/downloads/{job}/music.spectrogram").status == 200)
    stop.set()
    watching.join()
    assert seen == []


def _watch(word: bytes, seen: list[bytes], stop: threading.Event) -> None:
    while not stop.wait(0.01):
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    command = (entry / "cmdline").read_bytes()
                except OSError:
                    continue  # it has ended
                if word in command:
                    seen.append(command)
