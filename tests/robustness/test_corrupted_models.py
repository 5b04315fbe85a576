"""Truncated, corrupted and replaced model files."""

import json

from study.robustness.model_corruptions import CORRUPTIONS
from tests.support.trials import first_failures

NB_TRIALS = 10  # of each corruption
NB_TO_FIND = 3  # of each corruption, for a fault that most changes to the weights show


def test_damaged_models_are_refused_with_one_sentence(run_trial):
    rows = run_trial("corrupted_models", NB_TRIALS * len(CORRUPTIONS), 1)
    assert [row["trials"] for row in rows] == [NB_TRIALS] * len(CORRUPTIONS)
    assert first_failures(rows) == []


def test_the_trial_finds_unnoticed_damage(run_trial):
    unchecked = "from openunmix_models import checkpoints; checkpoints.is_intact = lambda path: True"
    rows = run_trial("corrupted_models", NB_TO_FIND * len(CORRUPTIONS), 1, patch=unchecked)
    assert "separates differently without an error" in json.dumps(rows)
