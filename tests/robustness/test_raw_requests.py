"""400 valid, hand-written and corrupted raw requests; `python -m study faults` sends twenty thousand."""

import json

from tests.support.project import break_code
from tests.support.trials import first_failures


def test_no_request_breaks_the_server(run_trial):
    rows = run_trial("raw_requests", 400, 1)
    assert sum(row["trials"] for row in rows) > 400
    assert first_failures(rows) == []


def test_the_trial_finds_a_broken_server(home, run_trial):
    break_code(home / "webapp" / "server" / "handler.py", "default_request_version", "another_version")
    assert "without a header" in json.dumps(run_trial("raw_requests", 400, 1))
