"""Slots for CGI scripts. Uploads and streams have slots of their own, since clients make them slow."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from webapp.limits import Limits
from webapp.pages.http_errors import too_many_people
from webapp.server import routes
from webapp.server.connection_slots import network_share
from webapp.server.transfer import Transfer, slowest

LOOK_SECONDS = 0.25  # between two looks at the paces of those who have slots


class ScriptSlots:
    """How many scripts may run at a time, and how many of them for one network."""

    def __init__(self, limits: Limits):
        self._seconds = limits.slot_seconds
        self._scripts = _Slots(limits.max_scripts, limits)
        uploads, streams = _Slots(limits.max_uploads, limits), _Slots(limits.max_streams, limits)
        self._by_route = {routes.UPLOAD: uploads, routes.ZIP: streams, routes.MIX: streams}

    @contextmanager
    def hold(self, route: str, transfer: Transfer) -> Iterator[None]:
        """Hold a slot for the script of `route` in the block. Raises HTTPError (503) if none becomes free in time.

        `transfer` is what the script does with the client. If it is slow, it is ended for others.
        """
        slots = self._by_route.get(route, self._scripts)
        if not slots.acquire(transfer, self._seconds):
            raise too_many_people()
        try:
            yield
        finally:
            slots.release(transfer)


class _Slots:
    """`number` slots of one kind. Hundreds of requests may wait for one, so waiting must cost little."""

    def __init__(self, number: int, limits: Limits):
        self._number = number
        self._most_of_network = network_share(number, limits)
        self._limits = limits
        self._lock = threading.Lock()
        self._held: list[Transfer] = []
        self._waiting: dict[Transfer, threading.Event] = {}  # in order of arrival; set when a slot was given
        self._looked_at = 0.0  # monotonic s

    def acquire(self, transfer: Transfer, seconds: float) -> bool:
        """Wait for a slot. False if there is none after `seconds`."""
        deadline = time.monotonic() + seconds
        given = threading.Event()
        with self._lock:
            self._waiting[transfer] = given
            self._give()
            self._end_slowest()
        while not given.wait(max(0.0, min(LOOK_SECONDS, deadline - time.monotonic()))):
            with self._lock:
                if time.monotonic() >= deadline and not given.is_set():
                    del self._waiting[transfer]
                    return False
                self._end_slowest()
        return True

    def release(self, transfer: Transfer) -> None:
        with self._lock:
            self._held.remove(transfer)
            self._give()

    def _give(self) -> None:
        """Give free slots to those who are ready most, and of those to the first that came."""
        while len(self._held) < self._number and (first := self._first()):
            self._held.append(first)
            self._waiting.pop(first).set()

    def _first(self) -> Transfer | None:
        allowed = {network: self._allows(network) for network in self._waiting_networks()}
        candidates = [transfer for transfer in self._waiting if allowed[transfer.network]]
        return max(candidates, key=Transfer.readiness, default=None)

    def _allows(self, network: str) -> bool:
        return not network or len(self._held_by(network)) < self._most_of_network

    def _held_by(self, network: str) -> list[Transfer]:
        return [held for held in self._held if held.network == network]

    def _waiting_networks(self) -> set[str]:
        return {transfer.network for transfer in self._waiting}

    def _end_slowest(self) -> None:
        """End the slowest transfer whose slot one that waits could take, unless one is about to release its slot."""
        if time.monotonic() < self._looked_at + LOOK_SECONDS:
            return  # another that waits has just looked
        self._looked_at = time.monotonic()
        for network in self._waiting_networks():
            candidates = self._held if self._allows(network) else self._held_by(network)
            if not any(held.gave_way for held in candidates):
                for slow in slowest(candidates, self._limits)[:1]:
                    slow.give_way()
