"""The simulation of study.robustness.scale, at a small size."""


def test_a_short_queue_moves_through_its_slots(run_trial):
    [row] = run_trial("scale", 60, 4, 0.2, 2)
    assert "60 songs of 200 visitors, 4 slots" in row["name"]
    assert row["trials"] > 0
