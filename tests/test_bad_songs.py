"""Some hundred bad songs through the upload and the separation; the long run takes ten thousand."""

import json

from study.faults.bad_songs import KINDS


def test_a_bad_song_is_refused_or_separated(trial):
    rows = trial("song_trial", 240, 1)
    assert (len(rows), sum(row["trials"] for row in rows)) == (len(KINDS), 240)
    assert [(row["what"], row["found"][0]) for row in rows if row["found"]] == []


def test_a_separation_that_breaks_is_found(home, trial):
    """One that ends its process, and one whose stems do not add up; the others are tried all the same."""
    code = home / "openunmix_models" / "separation.py"
    broken = "    if mixture.nb_channels == 6:\n        __import__('os')._exit(3)\n    encoding = encoding_for("
    code.write_text(
        code.read_text()
        .replace("    encoding = encoding_for(", broken)
        .replace("return encoding.clip(residual)\n", "return encoding.clip(residual) // 2\n")
    )
    rows = trial("song_trial", 60, 1)
    assert sum(row["trials"] for row in rows) == 60
    found = json.dumps([row["found"] for row in rows])
    assert "ends its process with 3" in found
    assert "do not add up" in found
