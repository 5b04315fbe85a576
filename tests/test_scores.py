"""Scores of which the answer is known, and that they are museval's own."""

import json

import numpy as np
import pytest

pytest.importorskip("museval", reason="needs study/requirements.txt")
import museval

from study.scores import METRICS, as_museval, score
from study.tracks import FOUR, TWO

RATE = 8000
SECONDS = 3


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def noise(rng, targets, level=0.1):
    """A sound (nb_samples, nb_channels) for each target, none like another."""
    return {target: level * rng.standard_normal((SECONDS * RATE, 2)) for target in targets}


def values(rows, target, metric):
    return np.array([row[metric] for row in rows if row["target"] == target])


def test_a_perfect_estimate_is_beyond_any_other(rng):
    sounds = noise(rng, TWO)
    rows = score(sounds, sounds, TWO, RATE)
    assert len(rows) == len(TWO) * SECONDS
    for target in TWO:
        assert (values(rows, target, "SDR") > 100).all()
        assert (values(rows, target, "SIR") > 40).all()


def test_the_mixture_as_its_own_estimate_has_the_level_of_the_target_in_it(rng):
    sounds = noise(rng, ["vocals"], 0.05) | noise(rng, ["accompaniment"], 0.1)
    mixture = sounds["vocals"] + sounds["accompaniment"]
    rows = score(sounds, dict.fromkeys(TWO, mixture), TWO, RATE)
    for target, other in zip(TWO, reversed(TWO), strict=True):
        frames = [(sounds[name] ** 2).reshape(SECONDS, -1).sum(1) for name in (target, other)]
        np.testing.assert_allclose(values(rows, target, "SDR"), 10 * np.log10(frames[0] / frames[1]), atol=1e-3)


def test_swapped_stems_are_all_interference(rng):
    sounds = noise(rng, TWO)
    rows = score(sounds, {"vocals": sounds["accompaniment"], "accompaniment": sounds["vocals"]}, TWO, RATE)
    for target in TWO:
        assert (values(rows, target, "SIR") < 0).all()
        assert (abs(values(rows, target, "SDR") + 3) < 1).all()  # the error is both sounds, of which the target is one


def test_a_second_in_which_a_stem_is_silent_counts_for_nothing(rng):
    sounds = noise(rng, TWO)
    sounds["vocals"][RATE : 2 * RATE] = 0
    rows = score(sounds, noise(rng, TWO), TWO, RATE)
    for metric in METRICS:
        assert np.isnan(values(rows, "vocals", metric)).tolist() == [False, True, False]


def test_the_table_is_what_museval_says(rng):
    sounds, estimates = noise(rng, FOUR), noise(rng, FOUR)
    rows = score(sounds, estimates, FOUR, RATE)
    direct = museval.evaluate(list(sounds.values()), list(estimates.values()), win=RATE, hop=RATE)
    for metric, theirs in zip(("SDR", "ISR", "SIR", "SAR"), direct, strict=True):
        ours = np.stack([values(rows, target, metric) for target in FOUR])
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_other_tools_can_read_a_song(rng):
    sounds = noise(rng, TWO)
    sounds["vocals"][:RATE] = 0
    rows = score(sounds, noise(rng, TWO), TWO, RATE)
    store = museval.aggregate.json2df(json.loads(as_museval("a song", rows)), "a song")
    assert set(store["target"]) == set(TWO)
    assert len(store) == len(rows) * len(METRICS)
