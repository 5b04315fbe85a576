"""What can be chosen beside SEPARATE, by program and on the page; and an engine that is only an entry of the table."""

import re
import time
from pathlib import Path

import pytest

from tests import double, waves

FOUR = ["vocals", "drums", "bass", "other"]
SECOND_ENGINE = """
[second]
title = "Second"
programs = []
install = ""
command = ["{python}", "second.py", "{source}", "--into={outdir}/x", "--as={model}.{format}"]
formats.wav = []
formats.flac = []
stems.2 = { files = { vocals = "x/voice-{model}.{format}", music = "x/rest-{model}.{format}" } }
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
formats.wav = []
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
def client(quick_server):
    return quick_server.client()


def choose(client, job: str, **choice: str):
    return client.post("/cgi-bin/separate.py", json_wanted=True, job=job, **choice)


# By program


def test_what_is_not_said_is_the_thesiss_choice(client):
    job = client.uploaded_job(waves.wave())
    told = choose(client, job).json()
    assert (told["model"], told["stems_wanted"], told["format"]) == ("umx", "2", "wav")
    done = client.wait_for(job, "done")
    assert [stem["name"] for stem in done["stems"]] == ["vocals", "music"]


def test_four_stems_as_flac(client):
    job = client.uploaded_job(waves.wave())
    told = choose(client, job, model="umxhq", stems="4", format="flac").json()
    assert (told["model"], told["stems_wanted"], told["format"]) == ("umxhq", "4", "flac")
    done = client.wait_for(job, "done")
    assert [(stem["name"], stem["url"]) for stem in done["stems"]] == [
        (name, f"/downloads/{job}/{name}.flac") for name in FOUR
    ]
    for name in FOUR:
        reply = client.get(f"/downloads/{job}/{name}.flac")
        assert (reply.status, reply.headers["Content-Type"]) == (200, "audio/flac")
        assert client.get(f"/downloads/{job}/{name}.wav").status == 404


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"model": "no such"}, "There is no such model here. There are: umx, "),
        ({"model": "../uploads"}, "There is no such model"),
        ({"model": "starter", "stems": "4"}, "The model starter gives vocals and music only."),
        ({"stems": "3"}, "2 stems or into 4"),
        ({"format": "mp3"}, "cannot be written as that with umx, only as: wav, flac."),
    ],
)
def test_a_choice_that_cannot_work_is_refused_before_the_work(client, choice, says):
    job = client.uploaded_job(waves.wave())
    reply = choose(client, job, **choice)
    assert reply.status == 400
    assert says in reply.json()["error"]
    assert client.state(job)["state"] == "uploaded"
    page = client.post("/cgi-bin/separate.py", job=job, **choice)
    assert page.status == 400
    assert "Traceback" not in page.text


def test_flac_is_refused_where_it_has_no_room(client):
    job = client.uploaded_job(waves.written(sample_rate=768_000))
    reply = choose(client, job, format="flac")
    assert reply.status == 400
    assert "FLAC goes up to 655350 Hz, and this file has 768000." in reply.json()["error"]
    assert choose(client, job, format="wav").status == 202


def test_another_model_stands_in_only_for_two_stems(client, orders):
    orders(status=3)
    jobs = {stems: client.uploaded_job(waves.wave()) for stems in ("2", "4")}
    for stems, job in jobs.items():
        choose(client, job, model="umx", stems=stems)
    four = client.wait_for(jobs["4"], "failed")
    assert "weights could not be fetched" in four["error"]
    two = client.wait_for(jobs["2"], "failed")  # the double never gives anything else
    assert two["model"] == "starter"
    assert two["note"] == "The model umx could not be fetched, so the starter model was used instead."
    assert four["note"] == ""


@pytest.mark.parametrize(
    ("says", "doing", "sentence"),
    [
        ("fetching umx", "fetching the model umxhq, 36 MB", "Fetching the model umxhq, 36 MB."),
        ("separating", "separating", "% done, about"),
        ("writing", "writing", "% done, about"),
    ],
)
def test_what_it_does_is_told_in_words(client, orders, says, doing, sentence):
    orders(seconds=double.LONG, says=says)
    job = client.uploaded_job(waves.wave())
    choose(client, job, model="umxhq")
    client.wait_for(job, "running")
    deadline = time.monotonic() + 30
    while (told := client.state(job))["doing"] != doing or (
        says != "fetching umx" and sentence not in told["progress"]
    ):
        assert time.monotonic() < deadline, told
        time.sleep(0.1)
    assert told["elapsed"] > 0
    if says == "fetching umx":
        assert told["progress"] == sentence
        assert (told["percent"], told["seconds_left"]) == (0, None)
    client.post("/cgi-bin/delete.py", job=job)


def test_one_that_waits_is_told_when_it_will_be_done_as_soon_as_anything_is_known(quick_home, serve):
    client = serve().client()
    first, second, third, fourth = [client.uploaded_job(waves.wave(bytes(4 * 44100 * 2))) for _ in range(4)]
    double.order(quick_home, seconds=double.LONG)
    for job in (first, second):
        choose(client, job, model="umx")
    client.wait_for(first, "running")
    assert client.state(second)["seconds_left"] is None  # nothing of the kind was ever separated here
    double.order(quick_home)
    client.wait_for(second, "done")

    double.order(quick_home, seconds=double.LONG)
    choose(client, third, model="umx")
    client.wait_for(third, "running")
    choose(client, fourth, model="umx")
    deadline = time.monotonic() + 30
    while (told := client.state(fourth))["seconds_left"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert told["seconds_left"] > 0
    assert "Done in about" in told["progress"]


def test_the_starters_line_stands_on_the_result_page(client):
    job = client.uploaded_job(waves.wave())
    choose(client, job, model="starter")
    client.wait_for(job, "done")
    page = client.get(f"/cgi-bin/download.py?job={job}").text
    assert re.search(r"Separated with the model starter\.\s+It finds a clear, loud voice", page)


# Another engine


@pytest.fixture
def second_home(home) -> Path:
    with (home / "webapp" / "engines.toml").open("a", encoding="utf-8") as table:
        table.write(SECOND_ENGINE)
    (home / "second.py").write_text(SECOND_COMMAND)
    (home / "second_models").mkdir()
    (home / "second_models" / "mine.txt").touch()
    return home


def test_another_engine_takes_an_entry_and_no_code(second_home, serve):
    client = serve().client()
    for model, format in (("twice", "wav"), ("mine", "flac")):
        (second_home / "hold").touch()
        job = client.uploaded_job(waves.wave())
        assert choose(client, job, model=model, format=format).status == 202
        client.wait_for(job, "running")
        deadline = time.monotonic() + 30
        while client.state(job)["percent"] != 40:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (second_home / "hold").unlink()
        done = client.wait_for(job, "done")
        assert [stem["name"] for stem in done["stems"]] == ["vocals", "music"]
        assert client.get(done["stems"][1]["url"]).body == waves.wave()
    assert choose(client, client.uploaded_job(waves.wave()), model="twice", stems="4").status == 400
    (second_home / "enough").touch()
    job = client.uploaded_job(waves.wave())
    choose(client, job, model="twice")
    assert client.wait_for(job, "failed")["error"] == "The second engine has had enough."


def test_an_engine_that_is_not_installed_is_shown_and_cannot_be_chosen(second_home, serve):
    client = serve().client()
    job = client.uploaded_job(waves.wave())
    page = client.get(f"/cgi-bin/uploaded.py?job={job}").text
    row = re.search(r"<label[^>]*>(?:(?!</label>).)*unheard-of.*?</label>", page, re.DOTALL)[0]
    assert re.search(r'value="unheard-of"\s+disabled', row)
    assert "<code>pip install &#x27;absent[all]&#x27;</code>" in row
    reply = choose(client, job, model="unheard-of")
    assert reply.status == 400
    assert reply.json()["error"] == "Absent is not installed. To install it: pip install 'absent[all]'"


# On the page


def test_the_page_offers_the_choices_folded_with_the_defaults(client, orders):
    orders(status=2)
    job = client.uploaded_job(waves.wave())
    pages = [client.get(f"/cgi-bin/uploaded.py?job={job}").text]
    choose(client, job, model="starter", format="flac")
    client.wait_for(job, "failed")
    pages.append(client.get(f"/cgi-bin/job.py?job={job}").text)
    for page in pages:  # the second remembers nothing of what was chosen
        assert '<details class="options">' in page
        checked = re.findall(r'name="(\w+)" value="(\w+)" checked', page)
        assert checked == [("model", "umx"), ("stems", "2"), ("format", "wav")]
        assert "in dense music it loses much of a sung voice" in page
        assert "MB must be fetched first" in page
        assert "floating point and 32 bit become 24 bit" in page


def test_choosing_on_the_page_without_javascript(open_page, quick_server, song):
    page = open_page(f"http://localhost:{quick_server.port}/", java_script_enabled=False)
    page.get_by_label("Choose .wav file for upload").set_input_files(song(0.5))
    page.get_by_role("button", name="Send file").click()
    four = page.get_by_label("Vocals, drums, bass, other")
    assert not four.is_visible()  # folded
    page.get_by_text("Options", exact=True).click()
    starter = page.get_by_label("starter")
    starter.check()
    assert not four.is_visible()  # the starter has no such network
    page.get_by_label("umxhq").check()
    four.check()
    assert not starter.is_visible()
    page.get_by_label("FLAC").check()
    page.get_by_role("button", name="SEPARATE").click()
    page.get_by_role("heading", name="successfully separated").wait_for(timeout=30_000)
    assert page.get_by_text("umxhq").first.is_visible()
    job = page.url.split("job=")[1]
    assert sorted(path.name for path in (quick_server.home / "downloads" / job / "song").glob("*.flac")) == sorted(
        f"{name}.flac" for name in FOUR
    )
