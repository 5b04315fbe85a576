"""The player's page, for the tests of its controls and of its sound."""

import pytest

from tests.support import player


@pytest.fixture
def open_player(open_page, fake_engine_server):
    """Open the page of a job, and note all that is played there."""

    def open_(job: str, **options):
        home = f"http://localhost:{fake_engine_server.port}/"
        page = open_page(home, **options)
        page.add_init_script(player.EARS)
        page.goto(f"{home}cgi-bin/download.py?job={job}")
        page.locator(".player.open").wait_for()
        return page

    return open_
