"""Two thousand bad inputs for the parsers of what comes from outside; the long run tries many more."""


def test_no_parser_breaks(trial):
    rows = trial("fuzz", 2000, 1)
    assert sum(row["trials"] for row in rows) > 1900
    assert [(row["what"], row["found"][0]) for row in rows if row["found"]] == []


def test_a_parser_that_breaks_is_found(home, trial):
    visitors = home / "webapp" / "visitors.py"
    visitors.write_text(
        visitors.read_text().replace("return _hash(found[1]) if found else", "return _hash(found[1]) or")
    )
    assert [row["what"] for row in trial("fuzz", 600, 1) if row["found"]] == ["Cookie (visitors)"]
