"""The zip format: other programs can read it, and its length is known in advance."""

import io
import os
import shutil
import subprocess
import zipfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.programs import require_program
from webapp.cgi import zip_stream
from webapp.cgi.zip_stream import Zip
from webapp.jobs import file_names
from webapp.jobs.job import Job

GIB = 1 << 30
JAVA = """
import java.util.zip.*;

class Unzip {
    public static void main(String[] arguments) throws Exception {
        var zip = new ZipInputStream(System.in);
        for (ZipEntry entry; (entry = zip.getNextEntry()) != null; ) {
            var bytes = (entry.getName() + " " + zip.readAllBytes().length + "\\n").getBytes("UTF-8");
            System.out.write(bytes, 0, bytes.length);
        }
        System.out.flush();
    }
}
"""


def job_called(name: str) -> Job:
    return Job(id="0" * 32, state="done", name=name, seconds=1)


# The format


@pytest.fixture
def files(tmp_path) -> dict[str, Path]:
    """An empty file, a small one, and one of several chunks."""
    contents = {
        "empty.wav": b"",
        "歌 - vocals.wav": b"abc",
        "long.wav": bytes(range(256)) * (zip_stream.CHUNK_BYTES // 100),
    }
    for number, content in enumerate(contents.values()):
        (tmp_path / str(number)).write_bytes(content)
    return {name: tmp_path / str(number) for number, name in enumerate(contents)}


@contextmanager
def opened_zip(files: dict[str, Path]):
    with ExitStack() as opened:
        yield Zip({name: opened.enter_context(path.open("rb")) for name, path in files.items()})


def zipped(files: dict[str, Path]) -> bytes:
    with opened_zip(files) as made:
        content = b"".join(made.chunks())
        assert len(content) == made.length
    return content


def test_python_reads_it(files):
    with zipfile.ZipFile(io.BytesIO(zipped(files))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == list(files)
        for name, path in files.items():
            assert archive.read(name) == path.read_bytes()


@pytest.mark.parametrize("program", [["unzip", "-q"], ["bsdtar", "-xf"], ["7z", "x"]], ids=lambda words: words[0])
def test_other_programs_read_it(files, tmp_path, program):
    require_program(program[0])
    (tmp_path / "a.zip").write_bytes(zipped(files))
    (tmp_path / "out").mkdir()
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    subprocess.run([*program, tmp_path / "a.zip"], cwd=tmp_path / "out", env=environment, check=True, timeout=60)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        name: path.read_bytes() for name, path in files.items()
    }


def test_busybox_reads_it_as_it_arrives(files, tmp_path):
    """It cannot seek to the central directory, and needs the sizes before the files."""
    require_program("busybox")
    subprocess.run(["busybox", "unzip", "-q", "-"], cwd=tmp_path, input=zipped(files), check=True, timeout=60)  # noqa: S607
    for name, path in files.items():
        assert (tmp_path / name).read_bytes() == path.read_bytes()


def test_java_reads_it_as_it_arrives(files, tmp_path):
    if not shutil.which("java"):
        pytest.skip("Java is not installed")  # not in CI either: it is large
    (tmp_path / "Unzip.java").write_text(JAVA)
    command = ["java", "-Dfile.encoding=UTF-8", "Unzip.java"]
    ran = subprocess.run(command, cwd=tmp_path, input=zipped(files), stdout=subprocess.PIPE, check=True, timeout=120)
    assert ran.stdout.decode().splitlines() == [f"{name} {path.stat().st_size}" for name, path in files.items()]


@pytest.mark.parametrize("sizes", [(5 * GIB, 1000), (0xFFFFFFFE, 10), (0xFFFFFFFF, 10), (3 * GIB, 3 * GIB, 7)])
def test_above_4_gb_it_is_zip64(tmp_path, monkeypatch, sizes):
    """The files are sparse, and large contents are skipped, so that this needs little time and disk space."""
    read = zip_stream._content
    crc = zip_stream._crc
    monkeypatch.setattr(zip_stream, "_crc", lambda file: 0 if os.fstat(file.fileno()).st_size > GIB else crc(file))
    monkeypatch.setattr(zip_stream, "_content", lambda entry: [entry.size] if entry.size > GIB else read(entry))
    files = {}
    for number, size in enumerate(sizes):
        files[f"{number}.wav"] = tmp_path / str(number)
        with files[f"{number}.wav"].open("wb") as file:
            file.truncate(size)
    path = tmp_path / "large.zip"
    with opened_zip(files) as made, path.open("wb") as file:
        for chunk in made.chunks():
            file.seek(chunk, 1) if isinstance(chunk, int) else file.write(chunk)
        assert file.tell() == made.length
    with zipfile.ZipFile(path) as archive:
        assert [(info.filename, info.file_size) for info in archive.infolist()] == list(zip(files, sizes, strict=True))
        last = archive.infolist()[-1]
        assert (last.header_offset > 4 * GIB) == (sum(sizes[:-1]) > 4 * GIB - 100)
        with archive.open(last) as content:
            assert content.read() == bytes(sizes[-1])


def test_a_file_that_shrinks_ends_the_zip_with_an_error(files):
    with opened_zip(files) as made:
        files["long.wav"].write_bytes(b"short")
        with pytest.raises(EOFError):
            list(made.chunks())


def test_a_file_that_changes_ends_the_zip_with_an_error(files):
    with opened_zip(files) as made:
        with files["long.wav"].open("r+b") as file:
            file.write(b"changed")
        with pytest.raises(EOFError):
            list(made.chunks())


def test_files_deleted_meanwhile_are_still_sent(files):
    with opened_zip(files) as made:
        for path in files.values():
            path.unlink()
        with zipfile.ZipFile(io.BytesIO(b"".join(made.chunks()))) as archive:
            assert archive.testzip() is None


# Names


@pytest.mark.parametrize(
    ("name", "song"),
    [
        ("My song.wav", "My song"),
        ("no ending", "no ending"),
        ("a.b.c.wav", "a.b.c"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\evil.wav", "evil"),
        ("..", "song"),
        (".wav", "wav"),
        ("...", "song"),
        ("  . .wav", "song"),
        ("", "song"),
        ('a"b<c>d:e|f?g*h.wav', "a_b_c_d_e_f_g_h"),
        ("line\nbreak\r\0.wav", "line_break"),
        ("‮gnos‏.wav", "gnos"),
        ("Пісня 歌 🎵.wav", "Пісня 歌 🎵"),
        ("lone \udcff.wav", "lone"),
        ("é" * 300 + ".wav", "é" * 90),
    ],
)
def test_download_names_are_valid_on_every_system(name, song):
    assert file_names.song_name(job_called(name)) == song
    assert file_names.stem_file_name(job_called(name), "vocals", ".flac") == f"{song} - vocals.flac"
