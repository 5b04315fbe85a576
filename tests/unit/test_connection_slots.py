"""Which connections are closed to make room for new ones."""

import socket

import pytest

from tests.support.connections import open_file_limit
from webapp.limits import Limits
from webapp.server.connection_slots import ConnectionSlots


@pytest.fixture
def pairs():
    """Pairs of connected sockets."""
    made = [socket.socketpair() for _ in range(4)]
    for ends in made:
        for end in ends:
            end.settimeout(5)
    yield made
    for ends in made:
        for end in ends:
            end.close()


def test_the_longest_waiting_connection_is_closed_first(pairs):
    first, second, third, _ = [ends[0] for ends in pairs]
    slots = ConnectionSlots(Limits(max_connections=2))
    for one in (first, second):
        assert slots.take(one)
    assert slots.serve(first)
    slots.wait(first)
    assert slots.take(third)
    assert slots.serve(first)
    assert not slots.serve(second)


def test_a_connection_with_unread_data_is_not_closed(pairs):
    (one, its_visitor), (two, _), (three, _), _ = pairs
    slots = ConnectionSlots(Limits(max_connections=2))
    assert slots.take(one)
    assert slots.take(two)
    its_visitor.send(b"GET / HTTP/1.1\r\n")
    assert slots.take(three)
    assert two.recv(1) == b""
    assert not slots.serve(two)
    assert slots.serve(one)


def test_a_slot_is_released_only_once(pairs):
    ours = [ends[0] for ends in pairs]
    slots = ConnectionSlots(Limits(max_connections=2))
    for one in ours[:2]:
        assert slots.take(one)
        assert slots.serve(one)
    assert not slots.take(ours[2])
    for _ in range(2):
        slots.leave(ours[0])
    assert slots.take(ours[2])
    assert slots.serve(ours[2])
    assert not slots.take(ours[3])
    slots.wait(ours[1])
    assert slots.take(ours[3])


def test_slots_work_with_descriptors_above_1024():
    fcntl = pytest.importorskip("fcntl")
    ours, its_visitor = socket.socketpair()
    with open_file_limit(4096), ours, its_visitor:
        high = socket.socket(fileno=fcntl.fcntl(ours, fcntl.F_DUPFD, 2000))
        with high, socket.socket() as next_one:
            slots = ConnectionSlots(Limits(max_connections=1))
            assert slots.take(high)
            assert slots.take(next_one)
            its_visitor.settimeout(5)
            assert its_visitor.recv(1) == b""


def test_a_network_has_only_a_share_of_the_slots(pairs):
    first, second, third, other = [ends[0] for ends in pairs]
    slots = ConnectionSlots(Limits(max_connections=8))
    for one in (first, second):
        assert slots.take(one, "192.0.2.1")
        assert slots.serve(one)
    assert not slots.take(third, "192.0.2.1")
    assert slots.take(other, "192.0.2.2")
    slots.wait(first)
    assert slots.take(third, "192.0.2.1")
    assert not slots.serve(first)


def test_a_proxys_connection_counts_for_the_visitor_while_it_is_served(pairs):
    first, second, third, _ = [ends[0] for ends in pairs]
    slots = ConnectionSlots(Limits(max_connections=8))
    for one in (first, second, third):
        assert slots.take(one)
        assert slots.serve(one)
    assert slots.count_for(first, "192.0.2.1")
    assert slots.count_for(second, "192.0.2.1")
    assert not slots.count_for(third, "192.0.2.1")
    slots.leave(first)
    assert slots.count_for(third, "192.0.2.1")
