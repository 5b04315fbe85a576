"""Scores whose values are known, and their equality with museval's."""

import json

import numpy as np
import pytest

pytest.importorskip("museval", reason="needs study/requirements.txt")
import museval

from study.evaluation.scores import METRICS, score, to_museval_json
from study.evaluation.tracks import FOUR, TWO

RATE = 8000
SECONDS = 3


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def noise(rng, targets, level=0.1, nb_channels=2):
    """Independent noise (nb_samples, nb_channels) for each target."""
    return {target: level * rng.standard_normal((SECONDS * RATE, nb_channels)) for target in targets}


def values(rows, target, metric):
    return np.array([row[metric] for row in rows if row["target"] == target])


def test_a_perfect_estimate_has_very_high_scores(rng):
    sounds = noise(rng, TWO)
    rows = score(sounds, sounds, TWO, RATE)
    assert len(rows) == len(TWO) * SECONDS
    for target in TWO:
        assert (values(rows, target, "SDR") > 100).all()
        assert (values(rows, target, "SIR") > 40).all()


def test_the_sdr_of_the_mixture_is_the_level_ratio_of_its_sources(rng):
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
        assert (
            abs(values(rows, target, "SDR") + 3) < 1
        ).all()  # the error contains both sounds, one of them the target


def test_silent_frames_have_no_score(rng):
    sounds = noise(rng, TWO)
    sounds["vocals"][RATE : 2 * RATE] = 0
    rows = score(sounds, noise(rng, TWO), TWO, RATE)
    for metric in METRICS:
        assert np.isnan(values(rows, "vocals", metric)).tolist() == [False, True, False]


@pytest.mark.parametrize(("targets", "nb_channels"), [(TWO, 2), (FOUR, 1)])
def test_the_scores_equal_museval(rng, targets, nb_channels):
    sounds, estimates = (noise(rng, targets, nb_channels=nb_channels) for _ in range(2))
    rows = score(sounds, estimates, targets, RATE)
    direct = museval.evaluate(list(sounds.values()), list(estimates.values()), win=RATE, hop=RATE)
    for metric, theirs in zip(("SDR", "ISR", "SIR", "SAR"), direct, strict=True):
        ours = np.stack([values(rows, target, metric) for target in targets])
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_museval_can_read_a_song(rng):
    sounds = noise(rng, TWO)
    sounds["vocals"][:RATE] = 0
    rows = score(sounds, noise(rng, TWO), TWO, RATE)
    store = museval.aggregate.json2df(json.loads(to_museval_json("a song", rows)), "a song")
    assert set(store["target"]) == set(TWO)
    assert len(store) == len(rows) * len(METRICS)
