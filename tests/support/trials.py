"""Results of the robustness trials."""


def first_failures(rows: list[dict]) -> list[tuple]:
    """The first failure of each row that has one, with the row's name."""
    return [(row["name"], row["failures"][0]) for row in rows if row["failures"]]
