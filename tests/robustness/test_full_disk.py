"""A disk that becomes full at different stages of a job."""

import pytest

from tests.support.trials import first_failures


def test_on_a_full_disk_a_song_ends_with_stems_or_an_error(run_trial):
    rows = run_trial("full_disk", 24)
    if rows[0]["name"].startswith("not tried"):
        pytest.skip(rows[0]["name"])
    assert first_failures(rows) == []
    assert sum(row["trials"] for row in rows) > 6
