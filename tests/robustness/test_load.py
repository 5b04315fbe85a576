"""The load test of study.robustness at a quarter of its size."""

from tests.support.trials import first_failures


def test_concurrent_clients_are_served_and_no_resources_leak(run_trial):
    rows = run_trial("load", 3, 5, 0.25)
    assert first_failures(rows) == []
    assert all(row["trials"] for row in rows)
