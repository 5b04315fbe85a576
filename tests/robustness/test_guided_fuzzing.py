"""A few seconds of coverage-guided fuzzing for each parser; `python -m study faults` takes longer."""

import pytest

from tests.support.project import break_code
from tests.support.trials import first_failures

pytest.importorskip("atheris", reason="atheris has packages for Linux only")

ONLY_COOKIE = """
from study.robustness import guided_fuzzing, parser_targets
guided_fuzzing.targets = lambda folder: [one for one in parser_targets.targets(folder) if one.name == "`Cookie`"]
"""


def test_no_parser_breaks(run_trial):
    rows = run_trial("guided_fuzzing", 2)
    assert first_failures(rows) == []
    assert min(row["trials"] for row in rows) > 20


def test_the_trial_finds_a_broken_parser(home, run_trial):
    break_code(home / "webapp" / "pages" / "visitors.py", ".hexdigest()", ".hexdigest()[1:]")
    assert [name for name, _ in first_failures(run_trial("guided_fuzzing", 1, patch=ONLY_COOKIE))] == ["`Cookie`"]
