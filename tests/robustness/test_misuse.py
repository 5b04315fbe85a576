"""A few clients that take more than their share; `python -m study faults --only misuse` has many more."""

from tests.support.project import break_code
from tests.support.trials import first_failures

FOUND = {"uploads that stop", "not read", "sent at once", "guessed", "other users", "SIGKILL"}


def test_honest_clients_are_served_beside_those_that_take_more_than_their_share(run_trial):
    rows = run_trial("misuse", 0.125)
    assert first_failures(rows) == []
    assert all(row["trials"] for row in rows)


def test_the_trial_finds_missing_protection(home, run_trial):
    break_code(home / "webapp" / "limits.py", "slot_seconds: float = 10.0", "slot_seconds: float = 2.0")  # less to wait
    break_code(home / "webapp" / "server" / "transfer.py", "        self.gave_way = True\n", "        return\n")
    break_code(home / "webapp" / "jobs" / "disk_space.py", "        check(nb_bytes - _announced(folder))\n", "")
    break_code(home / "webapp" / "pages" / "visitors.py", "(int(ip), 64)", "(int(ip), 128)")
    break_code(home / "webapp" / "cgi" / "request.py", "os.getppid() != int(server)", "False")
    break_code(home / "server.py", "os.umask(0o077)", "os.umask(0)")
    failed = {name for name, _ in first_failures(run_trial("misuse", 0.125))}
    found = {words for words in FOUND if any(words in name for name in failed)}
    assert found == FOUND
