"""Files that are replaced atomically."""

import os

import pytest

from webapp import atomic


def test_the_new_content_appears_at_the_end(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with atomic.replace(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_exception_leaves_the_old_content_and_no_other_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail() -> None:
        with atomic.replace(path) as file:
            file.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_leftover_of_a_killed_process_is_overwritten(tmp_path):
    (tmp_path / ".file.part").write_bytes(b"a part that is longer")
    with atomic.replace(tmp_path / "file") as file:
        file.write(b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"new"}


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot sync a folder")
def test_the_content_is_on_the_disk_before_the_name_and_then_the_name(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: order.append((tmp_path / "file").exists()))
    with atomic.replace(tmp_path / "file") as file:
        file.write(b"new")
    assert order == [False, True]
