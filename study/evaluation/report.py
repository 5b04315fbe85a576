"""Write a report of the results of `timing` and `quality`, with charts that are also saved as PNG and SVG.

It is written into the folder of results, which must hold results of at least one of these commands: report.html, a
self-contained page, and charts/. Bars are medians; --bars sums draws sums as in the thesis, although sums grow with the
number of songs. The recommended model follows the rule of the thesis: the best quality among models that are fast
enough.
"""

import argparse
import html
import string
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.evaluation import published_scores, results

METRICS = ("SDR", "SIR", "SAR", "ISR")
TEMPLATE = Path(__file__).with_name("report.html")


@dataclass(frozen=True)
class Results:
    """Tables of timing and quality (data frames, None if not measured), with the settings of each measurement."""

    timing: Any
    quality: Any
    stamps: dict[str, dict]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, help="folder written by `timing` and `quality`")
    parser.add_argument(
        "--bars", choices=["medians", "sums"], default="medians", help="how bars summarize the songs (%(default)s)"
    )
    parser.add_argument(
        "--fast-enough", type=float, default=1.0, metavar="N",
        help="minimum speed of a recommended model, in seconds of audio per second (%(default)s)",
    )  # fmt: skip


def main(arguments: argparse.Namespace) -> int:
    """Write the report. Returns 2 if the results cannot be read."""
    try:
        found = read(arguments.results)
    except results.BadResults as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    charts = _draw(found, arguments)
    _save(charts, arguments.results / "charts")
    page = _page(found, charts, arguments.fast_enough)
    (arguments.results / "report.html").write_text(page, "utf-8")
    print(f"{choice(models_table(found), arguments.fast_enough)}\nThe report: {arguments.results / 'report.html'}")
    return 0


def read(folder: Path) -> Results:
    """Read the results in `folder`. Raises BadResults."""
    import pandas as pd

    stamps = {
        name: results.load(folder / f"{name}.json")
        for name in ("timing", "quality")
        if (folder / f"{name}.csv").is_file()
    }
    if not stamps:
        raise results.BadResults(f"{folder.name} holds no results; `timing` and `quality` write them.")
    tables = {name: pd.read_csv(folder / f"{name}.csv") for name in stamps}
    return Results(tables.get("timing"), tables.get("quality"), stamps)


def models_table(found: Results) -> Any:
    """Return a data frame with a row for each model; values that were not measured are NaN.

    Columns: `speed`, the median over samples in seconds of audio per second; `two` and `four`, the median over songs of
    the median SDR of the vocals, scored among two and among four targets.
    """
    import pandas as pd

    table = pd.DataFrame(columns=["speed", "two", "four"], dtype=float)
    if found.timing is not None:
        table = table.reindex(found.timing["model"].unique())
        table["speed"] = found.timing.groupby("model")["speed"].median()
    if found.quality is not None:
        vocals = found.quality[found.quality["target"] == "vocals"]
        songs = vocals.groupby(["model", "among", "song"])["SDR"].median()
        medians = songs.groupby(["model", "among"]).median().unstack("among")
        table = table.reindex(table.index.union(medians.index, sort=False))
        for among in medians.columns:
            table[among] = medians[among]
    return table.rename_axis("model")


def choice(models: Any, fast_enough: float) -> str:
    """Return a sentence that recommends a model."""
    measured = models.dropna(subset=["speed", "two"])
    if measured.empty:
        return "No model has both timing and quality results, so no model can be recommended."
    fast = measured[measured["speed"] >= fast_enough]
    if fast.empty:
        fastest = measured["speed"].idxmax()
        return f"No model processes {fast_enough:g} s of audio per second here; {fastest} is the fastest."
    best = fast["two"].idxmax()
    return (
        f"Choose {best}: of the models that process at least {fast_enough:g} s of audio per second here ({len(fast)}), "
        f"it has the best vocals (median SDR {fast['two'][best]:.2f} dB), at {fast['speed'][best]:.1f} s of audio per "
        "second."
    )


def _draw(found: Results, arguments: argparse.Namespace) -> dict:
    """Return the charts that the results allow, by name."""
    from study.evaluation import charts

    drawn: dict[str, Any] = {}
    if found.timing is not None:
        drawn |= {f"time-{kind}": charts.times(found.timing, kind) for kind in ("cpu", "wall")}
    if found.quality is not None:
        for among, rows in found.quality.groupby("among", sort=False):
            for metric in METRICS:
                drawn[f"{among}-{metric}-by-target"] = charts.by_target(rows, metric, arguments.bars)
                drawn[f"{among}-{metric}-vocals"] = charts.over_songs(rows, metric, "vocals")
    both = models_table(found).dropna(subset=["speed", "two"]).rename(columns={"two": "SDR"}).reset_index()
    if not both.empty:
        drawn["speed-and-quality"] = charts.speed_and_quality(both)
    return drawn


def _save(charts: dict, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, chart in charts.items():
        chart.save(folder / f"{name}.svg")
        chart.save(folder / f"{name}.png", scale_factor=2)


def _page(found: Results, charts: dict, fast_enough: float) -> str:
    models = models_table(found)
    return string.Template(TEMPLATE.read_text("utf-8")).substitute(
        choice=html.escape(choice(models, fast_enough)),
        models=_models_html(models),
        timing=_table_html(found.timing) if found.timing is not None else "<p>Not measured.</p>",
        sisec=_row_html(published_scores.SISEC),
        charts="\n".join(f"<figure>{_svg(chart)}</figure>" for chart in charts.values()),
        stamps="".join(f"<p>{html.escape(_stamp(name, stamp))}</p>" for name, stamp in found.stamps.items()),
    )


def _models_html(models: Any) -> str:
    table = models.assign(published=models.index.map(published_scores.OPENUNMIX))
    titles = {"speed": "s of audio per second", "two": "vocals SDR among two, dB",
              "four": "vocals SDR among four, dB", "published": "published, dB (quoted)"}  # fmt: skip
    return _table_html(table.rename(columns=titles).reset_index())


def _table_html(table: Any) -> str:
    return table.to_html(index=False, border=0, float_format="{:.2f}".format, na_rep="–")


def _row_html(values: dict[str, float]) -> str:
    import pandas as pd

    return _table_html(pd.DataFrame([values]))


def _svg(chart: Any) -> str:
    import vl_convert

    return vl_convert.vegalite_to_svg(chart.to_json())


def _stamp(name: str, stamp: dict) -> str:
    about = f" on {stamp['root']}, {_length(stamp['duration'])}" if name == "quality" else ""
    return f"{name.capitalize()}: measured {stamp['date'][:10]}{about}. {stamp['machine']}"


def _length(seconds: float | None) -> str:
    return f"{seconds:g} s from the middle of each song" if seconds else "whole songs"
