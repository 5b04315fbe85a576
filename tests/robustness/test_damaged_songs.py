"""240 damaged songs through upload and separation; `python -m study faults` tries ten thousand."""

import json

from study.robustness.damaged_wav import KINDS
from tests.support.project import break_code
from tests.support.trials import first_failures


def test_a_bad_song_is_refused_or_separated(run_trial):
    rows = run_trial("damaged_songs", 240, 1)
    assert (len(rows), sum(row["trials"] for row in rows)) == (len(KINDS), 240)
    assert first_failures(rows) == []


def test_the_trial_finds_a_broken_separation(home, run_trial):
    """It finds a separation that ends its process and one whose stems do not add up, and continues with the rest."""
    ends_at_six_channels = (
        "if mixture.nb_channels == 6:\n        __import__('os')._exit(3)\n    encoding = encoding_for("
    )
    separation = home / "openunmix_models" / "separation.py"
    break_code(separation, "encoding = encoding_for(", ends_at_six_channels)
    break_code(separation, "return encoding.clip(residual)\n", "return encoding.clip(residual) // 2\n")
    rows = run_trial("damaged_songs", 60, 1)
    assert sum(row["trials"] for row in rows) == 60
    failures = json.dumps([row["failures"] for row in rows])
    assert "ends its process with 3" in failures
    assert "do not add up" in failures
