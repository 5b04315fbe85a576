"""Which model separates a song when none is chosen, and what is offered while some models cannot be fetched."""

import html
import json
import re
import time

import pytest

from tests.support import fake_engine, fake_models, wave_files
from tests.support.waiting import wait_until

ALL = ["umx", "umxhq", "umxl", "blend", "spleeter", "starter"]


@pytest.fixture
def start_checked(start_server, fake_engine_home):
    """Start a server with these models on the disk and with or without a network, and wait for its first check."""

    def start(**settings: object):
        fake_models.configure(fake_engine_home, **settings)
        checked = fake_models.nb_checks(fake_engine_home)
        server = start_server()
        wait_until(lambda: fake_models.nb_checks(fake_engine_home) > checked)
        wait_until((fake_engine_home / "uploads" / ".unavailable").exists)
        return server

    return start


def page_of(client, job: str) -> str:
    return html.unescape(client.get(f"/cgi-bin/uploaded.py?job={job}").text)


def selectable(page: str) -> dict[str, list[str]]:
    """The radio buttons that are not disabled, by the name of their field; the checked one comes first."""
    found = {}
    for name, value, state in re.findall(r'type="radio" name="(\w+)" value="([\w-]+)"( \w+)?>', page):
        if state != " disabled":
            values = found.setdefault(name, [])
            values.insert(0, value) if state == " checked" else values.append(value)
    return found


@pytest.mark.parametrize(
    ("on_disk", "reachable", "default"),
    [
        ([], True, "umx"),
        (["umx"], False, "umx"),
        (["blend", "spleeter"], True, "umx"),
        (["blend", "spleeter"], False, "blend"),
        (["spleeter"], False, "spleeter"),
        ([], False, "starter"),
    ],
)
def test_page_and_programs_get_the_same_default(start_checked, on_disk, reachable, default):
    client = start_checked(on_disk=on_disk, reachable=reachable).client()
    job = client.uploaded_job(wave_files.wav())
    page = page_of(client, job)
    assert selectable(page)["model"][0] == default
    says = f"The model umx cannot be fetched at the moment. The best one here is used: {default}."
    assert (says in page) == (default != "umx")
    reply = client.post("/cgi-bin/separate.py", json_wanted=True, job=job).json()
    assert (reply["model"], reply["note"]) == (default, "")  # a line before the song, not a warning on each
    done = client.wait_for(job, "done")
    assert (done["model"], done["note"]) == (default, "")


@pytest.mark.parametrize(
    ("on_disk", "reachable", "models", "stems"),
    [
        ([], True, ["umx", "umxhq", "umxl", "spleeter", "starter"], ["2", "2-best", "4"]),
        (["blend", "spleeter"], False, ["blend", "spleeter", "starter"], ["2", "4"]),
        (["umxhq"], False, ["starter", "umxhq"], ["2", "2-best", "4"]),
        ([], False, ["starter"], ["2", "4"]),
    ],
)
def test_only_available_options_can_be_chosen(start_checked, on_disk, reachable, models, stems):
    client = start_checked(on_disk=on_disk, reachable=reachable).client()
    job = client.uploaded_job(wave_files.wav())
    page = page_of(client, job)
    offered = selectable(page)
    assert sorted(offered["model"]) == sorted(models)
    assert offered["stems"] == stems
    for model in set(ALL) - set(models):
        row = re.search(rf'<input[^>]*value="{model}" disabled>.*?</label>', page, re.DOTALL)[0]
        wanted = "spleeter" if model == "blend" else model
        assert re.search(rf"Not on this machine.*<code>\S+ -m openunmix_models fetch {wanted}</code>", row)
    nb_impossible = 3 - len(stems)
    assert page.count("No model that can do this is on this machine") == nb_impossible

    client.separate(job, model="starter")
    client.wait_for(job, "done")
    cookie = {"Cookie": client.upload(wave_files.wav()).headers["Set-Cookie"].split(";")[0]}
    other = client.upload(wave_files.wav(), json_wanted=True, headers=cookie).json()["job"]
    client.separate(other, model="starter")
    client.wait_for(other, "done")
    again = client.request("GET", "/cgi-bin/songs.py", headers=cookie).text
    pairs = re.findall(r'<option value="([a-z]+) (\d[\w-]*)"', again)
    assert sorted({model for model, _ in pairs} & set(ALL)) == sorted(models)
    assert list(dict.fromkeys(of_pair for _, of_pair in pairs)) == stems


def test_a_missing_target_disables_only_its_stems(start_checked, fake_engine_home):
    """The vocals' network of umx is on the disk, and the other three cannot be fetched."""
    folder = fake_engine_home / "openunmix_models" / "umx"
    folder.mkdir()
    (folder / "separator.json").write_text("{}")
    (folder / "vocals.json").write_text("{}")
    (folder / "vocals-c8df74a5.pth").touch()
    client = start_checked(reachable=False).client()
    offered = selectable(page_of(client, client.uploaded_job(wave_files.wav())))
    assert offered["model"] == ["umx", "starter"]
    assert offered["stems"] == ["2", "4"]  # the starter makes four stems; the best quality would need all of umx


def test_the_command_for_a_better_model_is_logged_at_the_start(start_checked):
    server = start_checked(reachable=False)
    log = wait_until(lambda: "fetch" in server.log.read_text() and server.log.read_text())
    (line,) = [line for line in log.splitlines() if "openunmix_models fetch spleeter" in line]
    assert "the model blend is not on this disk; to fetch what it needs: " in line
    page = page_of(client := server.client(), client.uploaded_job(wave_files.wav()))
    assert re.search(r"A better one can be fetched .*<code>\S+ -m openunmix_models fetch spleeter</code>", page)


def test_nothing_is_logged_if_the_best_model_is_on_the_disk(start_checked):
    server = start_checked(on_disk=["blend", "spleeter"])
    client = server.client()
    client.finished_job(wave_files.wav())
    assert " fetch " not in server.log.read_text()


def test_no_page_waits_for_the_check(start_server, fake_engine_home):
    fake_models.configure(fake_engine_home, reachable=False, check_seconds=25)
    client = start_server().client()
    wait_until(lambda: fake_models.nb_checks(fake_engine_home))
    job = client.uploaded_job(wave_files.wav())
    assert selectable(page_of(client, job))["model"][0] == "umx"  # nothing is known yet
    client.separate(job)
    client.wait_for(job, "done")
    assert not (fake_engine_home / "uploads" / ".unavailable").exists()


def test_the_result_of_the_check_survives_a_restart(start_checked, fake_engine_home):
    server = start_checked(reachable=False)
    wait_until(lambda: availability(fake_engine_home)["unavailable"])
    server.kill()
    fake_models.configure(fake_engine_home, reachable=False, check_seconds=25)
    client = server.start().client()
    assert selectable(page_of(client, client.uploaded_job(wave_files.wav())))["model"][0] == "starter"


def test_an_upload_repeats_an_old_check_only(start_checked, fake_engine_home):
    client = start_checked(reachable=False).client()
    wait_until(lambda: availability(fake_engine_home)["unavailable"])
    client.uploaded_job(wave_files.wav())
    fake_models.configure(fake_engine_home, reachable=True)
    client.finished_job(wave_files.wav())
    assert fake_models.nb_checks(fake_engine_home) == 1
    old = {"checked": time.time() - 3600, "unavailable": ["umx"]}
    (fake_engine_home / "uploads" / ".unavailable").write_text(json.dumps(old))
    for _ in range(3):
        client.uploaded_job(wave_files.wav())
    wait_until(lambda: availability(fake_engine_home)["unavailable"] == [])
    assert fake_models.nb_checks(fake_engine_home) == 2


def test_a_check_that_fails_changes_nothing(start_server, fake_engine_home):
    old = {"checked": time.time() - 3600, "unavailable": ["umx"]}
    (fake_engine_home / "uploads").mkdir(exist_ok=True)
    (fake_engine_home / "uploads" / ".unavailable").write_text(json.dumps(old))
    table = fake_engine_home / "webapp" / "engines" / "engines.toml"
    table.write_text(table.read_text("utf-8").replace('check = ["--check-reachable"]', 'check = ["|"]'), "utf-8")
    program = fake_engine_home / "openunmix_models" / "fake_models.py"
    program.write_text(
        program.read_text().replace("def _list(", "def _list(settings):\n    sys.exit(7)\n\n\ndef _other(")
    )
    client = start_server().client()
    wait_until(lambda: availability(fake_engine_home)["checked"] > old["checked"])
    assert availability(fake_engine_home)["unavailable"] == ["umx"]
    assert client.get("/health").status == 200


# Chosen by program


def test_a_model_known_to_be_unavailable_is_replaced_without_an_attempt(start_checked, fake_engine_home):
    client = start_checked(on_disk=["blend", "spleeter"], reachable=False).client()
    for stems in ("2", "2-best"):
        job = client.uploaded_job(wave_files.wav())
        client.post("/cgi-bin/separate.py", json_wanted=True, job=job, model="umxhq", stems=stems)
        done = client.wait_for(job, "done")
        assert (done["model"], done["stems_wanted"]) == ("blend", "2")
        assert done["note"] == "The model umxhq could not be fetched, so the blend model was used instead."
        assert [event for name, event in fake_engine.events(fake_engine_home) if name == job] == ["starts", "ends"]


def test_a_model_that_appears_on_the_disk_is_used_at_once(start_checked, fake_engine_home):
    client = start_checked(reachable=False).client()
    wait_until(lambda: "umx" in availability(fake_engine_home)["unavailable"])
    fake_models.configure(fake_engine_home, on_disk=["umx"], reachable=False)
    job = client.uploaded_job(wave_files.wav())
    assert selectable(page_of(client, job))["model"][0] == "umx"
    client.post("/cgi-bin/separate.py", json_wanted=True, job=job)
    done = client.wait_for(job, "done")
    assert (done["model"], done["note"]) == ("umx", "")


def test_a_failed_attempt_replaces_the_model_in_the_tables_order(start_checked, fake_engine_home):
    """Every model fails here, so all of the order are tried; the last one's failure is the job's."""
    client = start_checked(on_disk=["blend", "spleeter"], reachable=True).client()
    fake_engine.configure(fake_engine_home, status=3)
    job = client.uploaded_job(wave_files.wav())
    client.post("/cgi-bin/separate.py", json_wanted=True, job=job)
    failed = client.wait_for(job, "failed")
    assert failed["model"] == "starter"
    assert failed["note"] == "The model umx could not be fetched, so the starter model was used instead."
    assert [event for name, event in fake_engine.events(fake_engine_home) if name == job] == ["starts", "ends"] * 4
    assert availability(fake_engine_home)["unavailable"] == ["blend", "spleeter", "umx"]
    fake_engine.configure(fake_engine_home)
    page = page_of(client, client.uploaded_job(wave_files.wav()))
    assert selectable(page)["model"][0] == "blend"


# Stems


def test_best_quality_gives_vocals_and_music(start_checked, fake_engine_home):
    client = start_checked().client()
    job = client.uploaded_job(wave_files.wav())
    answer = client.post("/cgi-bin/separate.py", json_wanted=True, job=job, stems="2-best", format="flac").json()
    assert (answer["model"], answer["stems_wanted"]) == ("umx", "2-best")
    done = client.wait_for(job, "done")
    assert [stem["name"] for stem in done["stems"]] == ["vocals", "music"]
    assert all(client.get(stem["url"]).status == 200 for stem in done["stems"])
    refused = client.post("/cgi-bin/separate.py", json_wanted=True, job=job, model="starter", stems="2-best")
    assert refused.status == 400
    assert "Best quality takes four networks, which the model starter does not have." in refused.json()["error"]


def test_four_stems_by_a_model_of_three(start_checked, fake_engine_home):
    """What three targets leave of the mixture is the fourth stem, by the table's alternative."""
    folder = fake_engine_home / "openunmix_models" / "three"
    folder.mkdir()
    for target in ("separator", "vocals", "drums", "bass"):
        (folder / f"{target}.json").write_text("{}")
        (folder / f"{target}.pth").touch()
    client = start_checked().client()
    job = client.uploaded_job(wave_files.wav())
    reply = client.post("/cgi-bin/separate.py", json_wanted=True, job=job, model="three", stems="4")
    assert reply.status == 202
    done = client.wait_for(job, "done")
    assert [stem["name"] for stem in done["stems"]] == ["vocals", "drums", "bass", "other"]
    assert all(client.get(stem["url"]).status == 200 for stem in done["stems"])


def availability(home) -> dict:
    return json.loads((home / "uploads" / ".unavailable").read_text())
