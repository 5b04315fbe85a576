"""The options of a separation: model, stems and format; and an engine added by a table entry."""

import re
from pathlib import Path

import pytest

from tests.support import fake_engine, wave_files
from tests.support.forms import CONTENT_TYPE, END, field_part, file_part
from tests.support.waiting import wait_until

FOUR = ["vocals", "drums", "bass", "other"]
SECOND_ENGINE = """
[second]
title = "Second"
programs = []
install = ""
command = ["{python}", "second.py", "{source}", "--into={outdir}/x", "--as={model}.wav"]
stems.2 = { files = { vocals = "x/voice-{model}.wav", music = "x/rest-{model}.wav" } }
progress.separating = 'at (?P<percent>\\d+) of 100'
statuses.7 = "The second engine has had enough."

[[second.models]]
name = "twice"
argument = "two"
about = "Twice as good"
licence = "CC0"

[[second.models]]
files = "second_models/*.txt"
arguments = ["--by-hand"]
about = "By hand"
licence = "not known"

[absent]
title = "Absent"
programs = ["no-such-program"]
install = "pip install 'absent[all]'"
command = ["no-such-program", "{source}"]
stems.2 = { files = { vocals = "v.wav", music = "m.wav" } }
progress.separating = '(?P<percent>\\d+)%'

[[absent.models]]
name = "unheard-of"
about = "Perhaps very good"
licence = "MIT"
"""
SECOND_COMMAND = """
import pathlib, shutil, sys, time
source, into, name, *more = sys.argv[1:]
if (pathlib.Path(__file__).parent / "enough").exists():
    sys.exit(7)
print("at 40 of 100", flush=True)
while (pathlib.Path(__file__).parent / "hold").exists():
    time.sleep(0.02)
into, name = pathlib.Path(into.removeprefix("--into=")), name.removeprefix("--as=")
into.mkdir(parents=True)
for stem in ("voice", "rest"):
    shutil.copy(source, into / f"{stem}-{name}")
"""


@pytest.fixture
def client(fake_engine_server):
    return fake_engine_server.client()


@pytest.fixture
def forget_unavailable_models(fake_engine_server):
    """Make umx the default of the following tests again, after it could not be fetched."""
    yield
    (fake_engine_server.home / "uploads" / ".unavailable").unlink()


def choose(client, job: str, **choice: str):
    return client.post("/cgi-bin/separate.py", json_wanted=True, job=job, **choice)


# Over HTTP


def test_the_defaults_are_the_thesis_choices(client):
    job = client.uploaded_job(wave_files.wav())
    answer = choose(client, job).json()
    assert (answer["model"], answer["stems_wanted"], answer["format"]) == ("umx", "2", "wav")
    done = client.wait_for(job, "done")
    assert [stem["name"] for stem in done["stems"]] == ["vocals", "music"]


def test_four_stems_as_flac(client):
    job = client.uploaded_job(wave_files.wav())
    answer = choose(client, job, model="umxhq", stems="4", format="flac").json()
    assert (answer["model"], answer["stems_wanted"], answer["format"]) == ("umxhq", "4", "flac")
    done = client.wait_for(job, "done")
    assert [(stem["name"], stem["url"]) for stem in done["stems"]] == [
        (name, f"/downloads/{job}/{name}.flac") for name in FOUR
    ]
    for name in FOUR:
        reply = client.get(f"/downloads/{job}/{name}.flac")
        assert (reply.status, reply.headers["Content-Type"]) == (200, "audio/flac")
        assert client.get(f"/downloads/{job}/{name}.wav").headers["Content-Type"] == "audio/wav"


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"model": "no such"}, "There is no such model here. There are: umx, "),
        ({"model": "../uploads"}, "There is no such model"),
        ({"model": "spleeter", "stems": "4"}, "The model spleeter gives vocals and music only."),
        ({"stems": "3"}, "2 stems or into 4"),
        ({"format": "mp3"}, "The stems can be WAV or FLAC here."),
    ],
)
def test_invalid_options_are_refused_before_the_job_is_queued(client, choice, says):
    job = client.uploaded_job(wave_files.wav())
    reply = choose(client, job, **choice)
    assert reply.status == 400
    assert says in reply.json()["error"]
    assert client.state(job)["state"] == "uploaded"
    page = client.post("/cgi-bin/separate.py", job=job, **choice)
    assert page.status == 400
    assert "Traceback" not in page.text


@pytest.mark.parametrize("state", ["running", "done"])
def test_other_options_for_a_job_that_has_some_are_refused(client, configure_engine, state):
    configure_engine(seconds=fake_engine.FOREVER if state == "running" else 0.1)
    job = client.uploaded_job(wave_files.wav())
    own = {"model": "umxhq", "stems": "4"}
    choose(client, job, **own)
    client.wait_for(job, state)
    for other in ({"model": "starter"}, {"stems": "2"}, {"format": "flac"}, own | {"model": "umx"}):
        reply = choose(client, job, **other)
        assert reply.status == 409, other
        assert "already, with the model umxhq." in reply.json()["error"]
    page = client.post("/cgi-bin/separate.py", job=job, model="starter")
    assert page.status == 409
    assert f'href="/cgi-bin/job.py?job={job}"' in page.text  # a way back to the song
    for same in ({}, own, {"model": "umxhq"}, {"stems": "4"}):
        reply = choose(client, job, **same)
        assert (reply.status, reply.json()["state"]) == (202, state)
    client.post("/cgi-bin/delete.py", json_wanted=True, job=job)


def test_the_model_that_was_replaced_can_be_asked_for_again(client, configure_engine, forget_unavailable_models):
    """A retry of the same request is no conflict, although another model has done the work."""
    configure_engine(status=3)
    job = client.uploaded_job(wave_files.wav())
    choose(client, job, model="umx", stems="2-best")
    wait_until(lambda: "could not be fetched" in client.state(job)["note"])
    configure_engine()
    client.wait_for(job, "done", "failed")
    if client.state(job)["state"] == "done":
        assert choose(client, job, model="umx", stems="2-best").status == 202


# With the upload


@pytest.mark.parametrize("order", ["before", "after"])
def test_options_that_are_sent_with_the_file_separate_it_at_once(client, order):
    fields = b"".join(field_part(*field) for field in (("model", "umxhq"), ("stems", "4"), ("separate", "1")))
    file = file_part(wave_files.wav(), "My Søng.wav")
    body = (fields + file if order == "before" else file + fields) + END
    headers = {"Content-Type": CONTENT_TYPE}
    told = client.request("POST", "/cgi-bin/upload.py", body, headers | {"Accept": "application/json"})
    assert (told.status, told.json()["state"]) == (201, "queued")
    done = client.wait_for(told.json()["job"], "done")
    assert (done["model"], done["stems_wanted"], done["name"]) == ("umxhq", "4", "My Søng.wav")
    assert client.get(f"/downloads/{done['job']}/mixture.wav").body == wave_files.wav()
    page = client.request("POST", "/cgi-bin/upload.py", body, headers)
    assert page.headers["Location"].startswith("/cgi-bin/job.py?job=")


def test_options_that_are_refused_with_the_upload_do_not_lose_the_file(client):
    body = file_part(wave_files.wav()) + field_part("model", "nonsense") + field_part("separate", "1") + END
    headers = {"Content-Type": CONTENT_TYPE, "Accept": "application/json"}
    told = client.request("POST", "/cgi-bin/upload.py", body, headers).json()
    assert told["state"] == "uploaded"
    assert "There is no such model here." in told["note"]
    assert "There is no such model here." in client.get(f"/cgi-bin/uploaded.py?job={told['job']}").text
    choose(client, told["job"])
    assert client.wait_for(told["job"], "done")["note"] == ""


def test_options_without_the_field_separate_only_upload(client):
    body = field_part("model", "umxhq") + file_part(wave_files.wav()) + END
    reply = client.request("POST", "/cgi-bin/upload.py", body, {"Content-Type": CONTENT_TYPE})
    assert reply.headers["Location"].startswith("/cgi-bin/uploaded.py?job=")


def test_flac_is_refused_above_its_highest_sample_rate(client):
    job = client.uploaded_job(wave_files.encoded(sample_rate=768_000))
    reply = choose(client, job, format="flac")
    assert reply.status == 400
    assert "FLAC cannot hold a sample rate of 768000 Hz." in reply.json()["error"]
    assert choose(client, job, format="wav").status == 202


def test_the_fallback_model_is_used_for_two_stems_only(client, configure_engine, forget_unavailable_models):
    configure_engine(status=3)
    jobs = {stems: client.uploaded_job(wave_files.wav()) for stems in ("2", "4")}
    for stems, job in jobs.items():
        choose(client, job, model="umx", stems=stems)
    four = client.wait_for(jobs["4"], "failed")
    assert "weights could not be fetched" in four["error"]
    two = client.wait_for(jobs["2"], "failed")  # the fake engine fails with every model
    assert two["model"] == "starter"
    assert two["note"] == "The model umx could not be fetched, so the starter model was used instead."
    assert four["note"] == ""


@pytest.mark.parametrize(
    ("says", "doing", "sentence"),
    [
        ("fetching umx", "downloading the model umxhq, 36 MB", "Downloading the model umxhq, 36 MB."),
        ("separating", "separating", "% done, about"),
        ("writing", "writing", "% done, about"),
    ],
)
def test_the_step_in_progress_is_described(client, configure_engine, says, doing, sentence):
    configure_engine(seconds=fake_engine.FOREVER, says=says)
    job = client.uploaded_job(wave_files.wav())
    choose(client, job, model="umxhq")
    client.wait_for(job, "running")
    shown = wait_until(
        lambda: (state := client.state(job))["doing"] == doing and sentence in state["progress"] and state,
        message=lambda: str(client.state(job)),
    )
    assert shown["elapsed"] > 0
    if says == "fetching umx":
        assert shown["progress"] == sentence
        assert (shown["percent"], shown["seconds_left"]) == (0, None)
    client.post("/cgi-bin/delete.py", job=job)


def test_a_queued_job_gets_a_time_estimate_once_there_are_earlier_jobs(fake_engine_home, start_server):
    client = start_server().client()
    first, second, third, fourth = [client.uploaded_job(wave_files.wav(bytes(4 * 44100 * 2))) for _ in range(4)]
    fake_engine.configure(fake_engine_home, seconds=fake_engine.FOREVER)
    for job in (first, second):
        choose(client, job, model="umx")
    client.wait_for(first, "running")
    assert client.state(second)["seconds_left"] is None  # no such separation has finished yet
    fake_engine.configure(fake_engine_home)
    client.wait_for(second, "done")

    fake_engine.configure(fake_engine_home, seconds=fake_engine.FOREVER)
    choose(client, third, model="umx")
    client.wait_for(third, "running")
    choose(client, fourth, model="umx")
    shown = wait_until(lambda: (state := client.state(fourth))["seconds_left"] is not None and state)
    assert shown["seconds_left"] > 0
    assert "Done in about" in shown["progress"]


def test_the_result_page_describes_the_model(client):
    job = client.uploaded_job(wave_files.wav())
    choose(client, job, model="starter")
    client.wait_for(job, "done")
    page = client.get(f"/cgi-bin/download.py?job={job}").text
    assert re.search(r"Separated with the model starter\.\s+It finds a clear, loud voice", page)


# Another engine


@pytest.fixture
def second_home(home) -> Path:
    with (home / "webapp" / "engines" / "engines.toml").open("a", encoding="utf-8") as table:
        table.write(SECOND_ENGINE)
    (home / "second.py").write_text(SECOND_COMMAND)
    (home / "second_models").mkdir()
    (home / "second_models" / "mine.txt").touch()
    return home


def test_an_engine_can_be_added_by_a_table_entry(second_home, start_server):
    client = start_server().client()
    for model, format in (("twice", "wav"), ("mine", "flac")):
        (second_home / "hold").touch()
        job = client.uploaded_job(wave_files.wav())
        assert choose(client, job, model=model, format=format).status == 202
        client.wait_for(job, "running")
        wait_until(lambda job=job: client.state(job)["percent"] == 40)
        (second_home / "hold").unlink()
        done = client.wait_for(job, "done")
        assert [stem["name"] for stem in done["stems"]] == ["vocals", "music"]
        assert client.get(f"/downloads/{job}/music.wav").body == wave_files.wav()
    assert choose(client, client.uploaded_job(wave_files.wav()), model="twice", stems="4").status == 400
    (second_home / "enough").touch()
    job = client.uploaded_job(wave_files.wav())
    choose(client, job, model="twice")
    assert client.wait_for(job, "failed")["error"] == "The second engine has had enough."


def test_a_missing_engine_is_listed_but_cannot_be_chosen(second_home, start_server):
    client = start_server().client()
    job = client.uploaded_job(wave_files.wav())
    page = client.get(f"/cgi-bin/uploaded.py?job={job}").text
    row = re.search(r"<label[^>]*>(?:(?!</label>).)*unheard-of.*?</label>", page, re.DOTALL)[0]
    assert re.search(r'value="unheard-of"\s+disabled', row)
    assert "<code>pip install &#x27;absent[all]&#x27;</code>" in row
    reply = choose(client, job, model="unheard-of")
    assert reply.status == 400
    assert reply.json()["error"] == "Absent is not installed. To install it: pip install 'absent[all]'"


# On the page


def test_the_page_offers_folded_options_with_the_defaults(client, configure_engine):
    configure_engine(status=2)
    job = client.uploaded_job(wave_files.wav())
    pages = [client.get(f"/cgi-bin/uploaded.py?job={job}").text]
    choose(client, job, model="starter", format="flac")
    client.wait_for(job, "failed")
    pages.append(client.get(f"/cgi-bin/job.py?job={job}").text)
    for page in pages:  # earlier choices are not remembered
        assert '<details class="options">' in page
        checked = re.findall(r'name="(\w+)" value="(\w+)" checked', page)
        assert checked == [("model", "umx"), ("stems", "2")]
        assert "in dense music it loses much of a sung voice" in page
        assert "MB are fetched first" in page
