"""Charts of the report, made with Altair."""

import altair as alt
import pandas as pd

SIZE = {"width": 640, "height": 280}
TILTED = alt.Axis(labelAngle=-30)
AGGREGATES = {"medians": "median", "sums": "sum"}

alt.data_transformers.disable_max_rows()


def over_songs(quality: pd.DataFrame, metric: str, target: str) -> alt.LayerChart:
    """Draw a box plot of the frames of each song and model, and a line through the means."""
    rows = quality[quality["target"] == target].dropna(subset=[metric])
    chart = alt.Chart(rows[["song", "model", metric]])
    song = alt.X("song:N", title="song", axis=TILTED)
    level = alt.Y(f"{metric}:Q", title=f"{metric} of {target}, dB")
    boxes = chart.mark_boxplot(size=6, outliers=alt.MarkConfig(size=6)).encode(song, level, _model(), _side_by_side())
    means = chart.mark_line(point=True, strokeWidth=1.5).encode(song, alt.Y(f"mean({metric}):Q"), _model())
    return (boxes + means).properties(**SIZE, title=f"{metric} of {target}, each song: boxes of seconds, line of means")


def by_target(quality: pd.DataFrame, metric: str, bars: str) -> alt.Chart:
    """Draw a bar for each target and model: the median (or, as in the thesis, the sum) of the song medians."""
    songs = quality.groupby(["model", "target", "song"], as_index=False)[metric].median()
    values = songs.groupby(["model", "target"], as_index=False)[metric].agg(AGGREGATES[bars])
    return (
        alt.Chart(values)
        .mark_bar()
        .encode(alt.X("target:N", axis=TILTED), alt.Y(f"{metric}:Q", title=f"{metric}, dB"), _model(), _side_by_side())
        .properties(**SIZE, title=f"{metric} by target: {bars} over songs")
    )


def times(timing: pd.DataFrame, kind: str) -> alt.Chart:
    """Draw bars of the wall or CPU time (`kind`: "wall" or "cpu") of each model, grouped by sample."""
    timing = timing.assign(cpu=timing["user"] + timing["system"])
    titles = {"wall": "wall time, s", "cpu": "CPU time (user and system), s"}
    return (
        alt.Chart(timing[["sample", "model", kind]])
        .mark_bar()
        .encode(alt.X("sample:N", axis=TILTED), alt.Y(f"{kind}:Q", title=titles[kind]), _model(), _side_by_side())
        .properties(**SIZE, title=titles[kind])
    )


def speed_and_quality(models: pd.DataFrame) -> alt.LayerChart:
    """Draw a point for each model: speed in seconds of audio per second, and median SDR of the vocals."""
    chart = alt.Chart(models).encode(
        alt.X("speed:Q", title="seconds of audio per second"),
        alt.Y("SDR:Q", title="median SDR of vocals, dB", scale=alt.Scale(zero=False)),
    )
    names = chart.mark_text(align="left", dx=10, fontSize=13).encode(text="model:N")
    return (chart.mark_circle(size=120).encode(_model()) + names).properties(**SIZE, title="Speed against quality")


def _model() -> alt.Color:
    return alt.Color("model:N", title="model")


def _side_by_side() -> alt.XOffset:
    return alt.XOffset("model:N")
