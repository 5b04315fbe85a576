"""Slots for connections. When all are taken, a new connection takes the slot of an idle or a slow one."""

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

from webapp.limits import Limits
from webapp.server.transfer import Transfer, has_received, slowest

SEARCH_SECONDS = 0.1


class ConnectionSlots:
    """A connection that has a slot waits for the head of a request, or is being served.

    A network has only a share of the slots. Its new connections take the slots of its own.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._most_of_network = network_share(limits.max_connections, limits)
        self._lock = threading.Lock()
        self._searched_at = -SEARCH_SECONDS  # when no slow transfer was found, monotonic s
        self._waiting: dict[socket.socket, None] = {}  # in order of time: the first has waited longest
        self._served: dict[socket.socket, Transfer | None] = {}  # with the transfer that the server waits for
        self._networks: dict[socket.socket, str] = {}
        self._counts: Counter[str] = Counter()  # connections by network

    def take(self, connection: socket.socket, network: str = "") -> bool:
        """Give the connection a slot, in which it waits. False if none can be had."""
        with self._lock:
            if not self._make_room(network):
                return False
            if len(self._networks) >= self._limits.max_connections and not self._end_one(list(self._networks)):
                return False
            self._waiting[connection] = None
            self._enter(connection, network)
            return True

    def serve(self, connection: socket.socket) -> bool:
        """Note that a request has arrived, which must not be interrupted. False if the slot was taken away already."""
        with self._lock:
            if connection in self._waiting:
                del self._waiting[connection]
                self._served[connection] = None
            return connection in self._served

    def count_for(self, connection: socket.socket, network: str) -> bool:
        """Count a connection of a proxy for the visitor's network while it is served. False if it has too many."""
        with self._lock:
            if connection not in self._networks or self._networks[connection] == network:
                return True
            if not self._make_room(network):
                return False
            self._forget(connection)
            self._enter(connection, network)
            return True

    @contextlib.contextmanager
    def transferring(self, connection: socket.socket, transfer: Transfer) -> Iterator[None]:
        """In the block, the server waits for this client, which gives way to others if it is slow."""
        self._note(connection, transfer)
        try:
            yield
        finally:
            self._note(connection, None)

    def wait(self, connection: socket.socket) -> None:
        """Note that the request was answered, and that the connection waits for another."""
        with self._lock:
            if connection in self._served:
                del self._served[connection]
                self._waiting[connection] = None

    def leave(self, connection: socket.socket) -> None:
        """Give the slot back. Must be called before the connection is closed."""
        with self._lock:
            self._remove(connection)

    def _note(self, connection: socket.socket, transfer: Transfer | None) -> None:
        with self._lock:
            if connection in self._served:
                self._served[connection] = transfer

    def _make_room(self, network: str) -> bool:
        """Make sure that the network may have one connection more. False if it may not."""
        if not network or self._counts[network] < self._most_of_network:
            return True
        return self._end_one([connection for connection, other in self._networks.items() if other == network])

    def _end_one(self, candidates: list[socket.socket]) -> bool:
        """End one of these connections: an idle one, or the slowest. False if none can be ended."""
        if idle := self._find_idle(candidates):
            self._remove(idle)
            with contextlib.suppress(OSError):  # closed by its client
                idle.shutdown(socket.SHUT_RDWR)  # this ends the reading of its thread
            return True
        transfers = {transfer: connection for connection in candidates if (transfer := self._served.get(connection))}
        if time.monotonic() < self._searched_at + SEARCH_SECONDS:
            return False  # a search takes a while, and a moment ago there was nothing to find
        slow = slowest(transfers, self._limits)
        for transfer in slow[: 1 + len(slow) // 8]:  # several, since more new connections may follow
            self._remove(transfers[transfer])
            transfer.give_way()
        if not slow:
            self._searched_at = time.monotonic()
        return bool(slow)

    def _find_idle(self, candidates: list[socket.socket]) -> socket.socket | None:
        """The connection that has waited longest, preferably one that has sent nothing."""
        allowed = set(candidates)
        waiting = [connection for connection in self._waiting if connection in allowed]
        silent = (connection for connection in waiting if not has_received(connection))
        return next(silent, next(iter(waiting), None))

    def _enter(self, connection: socket.socket, network: str) -> None:
        self._networks[connection] = network
        self._counts[network] += 1

    def _remove(self, connection: socket.socket) -> None:
        self._waiting.pop(connection, None)
        self._served.pop(connection, None)
        self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        network = self._networks.pop(connection, None)
        if network is not None:
            self._counts[network] -= 1
            if not self._counts[network]:
                del self._counts[network]


def network_share(number: int, limits: Limits) -> int:
    """How many of `number` slots one network may have."""
    return max(1, number * limits.max_network_percent // 100)
