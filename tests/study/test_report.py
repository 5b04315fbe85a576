"""The study's report of results whose medians are known."""

import re

import pytest

pytest.importorskip("pandas", reason="needs study/requirements.txt")
pytest.importorskip("altair", reason="needs study/requirements.txt")
import pandas as pd

from study import __main__ as study
from study.evaluation import report, results

SDR = {"slow": 9.0, "quick": 6.0, "quickest": 3.0}
SPEED = {"slow": 0.5, "quick": 5.0, "quickest": 20.0}


def quality():
    """Scores of three models on three songs of three frames; song 1 is 1 dB better, frame 1 is silent."""
    return [
        {"song": f"song {song}", "model": model, "among": among, "target": target, "frame": frame}
        | dict.fromkeys(("SDR", "SIR", "SAR", "ISR"), float("nan") if frame == 1 else sdr + (song == 1) + frame - 1)
        for song in range(3)
        for model, sdr in SDR.items()
        for among, targets in (("two", ("vocals", "accompaniment")), ("four", ("vocals", "drums", "bass", "other")))
        for target in targets
        for frame in range(3)
    ]


def timing():
    common = {"user": 1.0, "system": 0.1, "spread": 0.1, "loading": 0.5}
    return [
        {"sample": sample, "model": model, "wall": 10 / speed, "speed": speed} | common
        for sample in ("one", "two")
        for model, speed in SPEED.items()
    ]


@pytest.fixture
def folder(tmp_path):
    """Results of both kinds."""
    results.save_table(tmp_path / "quality.csv", quality())
    results.save(tmp_path / "quality.json", results.stamped(root="songs", duration=None))
    results.save_table(tmp_path / "timing.csv", timing())
    results.save(tmp_path / "timing.json", results.stamped())
    return tmp_path


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["study", "report", *map(str, arguments)])
    return study.main()


def test_each_model_has_its_medians(folder):
    table = report.models_table(report.read(folder))
    assert table["speed"].to_dict() == SPEED
    assert table["two"].to_dict() == table["four"].to_dict() == SDR  # medians over songs of the medians over frames


@pytest.mark.parametrize(
    ("fast_enough", "sentence"),
    [
        (0.1, "Choose slow: of the models that process at least 0.1 s of audio per second here (3)"),
        (1, "here (2), it has the best vocals (median SDR 6.00 dB), at 5.0 s"),
        (6, "Choose quickest"),
        (99, "quickest is the fastest"),
    ],
)
def test_the_recommendation_is_the_best_model_that_is_fast_enough(folder, fast_enough, sentence):
    assert sentence in report.choice(report.models_table(report.read(folder)), fast_enough)


def test_the_report_is_self_contained_and_cites_its_sources(folder, monkeypatch, capsys):
    assert run(monkeypatch, folder) == 0
    page = (folder / "report.html").read_text()
    assert "Choose quick" in page
    assert "Choose quick" in capsys.readouterr().out
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", page)
    assert "<script" not in page
    assert (
        page.count("<svg") == 2 + 2 * 4 * 2 + 1
    )  # times; four metrics by target and by song, for two and four targets
    for quoted in ("5.18", "SiSEC", "quoted"):
        assert quoted in page


def test_charts_are_written_as_images(folder, monkeypatch):
    run(monkeypatch, folder)
    names = {path.name for path in (folder / "charts").iterdir()}
    assert {"time-cpu.svg", "time-wall.png", "two-SDR-vocals.png", "four-SIR-by-target.svg"} <= names
    assert (folder / "charts" / "speed-and-quality.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("bars", "value"), [("medians", 6.0), ("sums", 19.0)])
def test_bars_are_medians_or_the_sums_of_the_thesis(bars, value):
    from study.evaluation import charts

    rows = pd.DataFrame(quality())
    drawn = charts.by_target(rows[rows["among"] == "four"], "SDR", bars).data
    assert drawn[(drawn["model"] == "quick") & (drawn["target"] == "bass")]["SDR"].item() == value


def test_results_of_one_kind_suffice(folder, monkeypatch, capsys):
    (folder / "timing.csv").unlink()
    assert run(monkeypatch, folder) == 0
    assert "no model can be recommended" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: results.save(folder / "timing.json", {"version": 0}), "timing.json has version 0"),
        (lambda folder: (folder / "timing.json").write_text("{"), "timing.json cannot be read"),
        (lambda folder: [path.unlink() for path in folder.glob("*.csv")], "holds no results"),
    ],
)
def test_unreadable_results_get_one_sentence(folder, monkeypatch, capsys, spoil, sentence):
    spoil(folder)
    assert run(monkeypatch, folder) == 2
    stderr = capsys.readouterr().err
    assert sentence in stderr
    assert stderr.count("\n") == 1
