"""Two thousand corrupted inputs for the parsers; `python -m study faults` tries many more."""

from tests.support.trials import first_failures


def test_no_parser_breaks(run_trial):
    rows = run_trial("parser_fuzzing", 2000, 1)
    assert sum(row["trials"] for row in rows) > 1900
    assert first_failures(rows) == []


def test_the_trial_finds_a_broken_parser(run_trial):
    rows = run_trial(
        "parser_fuzzing", 600, 1, patch="from webapp.pages import visitors; visitors._hash = lambda secret: secret[1:]"
    )
    assert [name for name, _ in first_failures(rows)] == ["`Cookie`"]
