"""Places for connections, as many as the server bears; who waits longest without a request makes room for others."""

import selectors
import socket
import threading
from contextlib import suppress

# Neither takes a descriptor, which may be what is short; and poll knows descriptors above 1023.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


class Places:
    """`number` places. A connection that has one waits, until a whole request's head has come, or is served."""

    def __init__(self, number: int):
        self._number = number
        self._lock = threading.Lock()
        self._waiting: dict[socket.socket, None] = {}  # in order of time: the first has waited longest
        self._served: set[socket.socket] = set()

    def take(self, connection: socket.socket) -> bool:
        """Give the connection a place, in which it waits; False if all are taken by requests."""
        with self._lock:
            if len(self._waiting) + len(self._served) >= self._number and not self._make_room():
                return False
            self._waiting[connection] = None
            return True

    def serve(self, connection: socket.socket) -> bool:
        """Note that a request has come, and is not to be broken off; False if the place is lost already."""
        with self._lock:
            if connection in self._waiting:
                del self._waiting[connection]
                self._served.add(connection)
            return connection in self._served

    def wait(self, connection: socket.socket) -> None:
        """Note that the request is answered, and that the connection waits for another."""
        with self._lock:
            if connection in self._served:
                self._served.remove(connection)
                self._waiting[connection] = None

    def leave(self, connection: socket.socket) -> None:
        """Give the place back; to be said before the connection is closed."""
        with self._lock:
            self._waiting.pop(connection, None)
            self._served.discard(connection)

    def _make_room(self) -> bool:
        if not self._waiting:
            return False
        silent = (one for one in self._waiting if not _has_sent(one))
        longest = next(silent, next(iter(self._waiting)))
        del self._waiting[longest]
        with suppress(OSError):  # gone by itself
            longest.shutdown(socket.SHUT_RDWR)  # which wakes its thread
        return True


def _has_sent(connection: socket.socket) -> bool:
    """Whether something has come that its thread has not read yet: the rest of a head, it may be."""
    with _Selector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return bool(selector.select(0))
