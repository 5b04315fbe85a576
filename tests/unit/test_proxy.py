"""The client address behind a proxy."""

from email.message import Message

import pytest

from webapp.server import proxy


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ([], "127.0.0.1"),
        ([""], "127.0.0.1"),
        (["198.51.100.7"], "198.51.100.7"),
        (["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
        (["1.2.3.4", "198.51.100.7"], "198.51.100.7"),
        (["198.51.100.7, "], "127.0.0.1"),
        (["198.51.100.7:80"], "127.0.0.1"),
        (["2001:DB8::7"], "2001:db8::7"),
        (["evil\x1b[31m"], "127.0.0.1"),
    ],
)
def test_the_client_address_is_the_last_forwarded_one(forwarded, address):
    headers = Message()
    for value in forwarded:
        headers["X-Forwarded-For"] = value
    assert proxy.address(headers, "127.0.0.1") == address
