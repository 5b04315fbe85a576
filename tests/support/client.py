"""A small HTTP client: requests as browsers and programs send them, and raw bytes that they never send."""

import http.client
import io
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tests.support.forms import CONTENT_TYPE, upload_form
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Reply:
    """A complete response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    def json(self) -> dict:
        return json.loads(self.body)


class Client:
    """Sends requests to the server on `port`. It does not follow redirects: a test follows them itself."""

    def __init__(self, port: int):
        self.port = port

    def request(self, method: str, path: str, body=None, headers=None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.request("GET", path, headers={key.replace("_", "-"): value for key, value in headers.items()})

    def get_json(self, path: str) -> Reply:
        return self.get(path, Accept="application/json")

    def post(self, path: str, json_wanted: bool = False, **fields: str) -> Reply:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if json_wanted:
            headers["Accept"] = "application/json"
        return self.request("POST", path, urlencode(fields), headers)

    def upload(
        self, content: bytes | Path, name: str = "song.wav", json_wanted: bool = False, headers: dict | None = None
    ) -> Reply:
        content = content.read_bytes() if isinstance(content, Path) else content
        headers = {"Content-Type": CONTENT_TYPE} | (headers or {})
        if json_wanted:
            headers["Accept"] = "application/json"
        return self.request("POST", "/cgi-bin/upload.py", upload_form(content, name), headers)

    def state(self, job: str) -> dict:
        return self.get_json(f"/cgi-bin/job.py?job={job}").json()

    def open_upload(self, length: int) -> socket.socket:
        """Open a connection and send the head of an upload whose body has `length` bytes."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(upload_head(f"Content-Length: {length}"))
        return connection

    def uploaded_job(self, content: bytes | Path, name: str = "song.wav") -> str:
        """Upload, and return the job."""
        reply = self.upload(content, name, json_wanted=True)
        assert reply.status == 201, reply.text
        return reply.json()["job"]

    def separate(self, job: str, model: str = "starter") -> Reply:
        return self.post("/cgi-bin/separate.py", json_wanted=True, job=job, model=model)

    def finished_job(self, content: bytes | Path, name: str = "song.wav", model: str = "starter") -> str:
        """Upload, separate, wait until that is done, and return the job."""
        job = self.uploaded_job(content, name)
        reply = self.separate(job, model)
        assert reply.status == 202, reply.text
        self.wait_for(job, "done")
        return job

    def wait_for(self, job: str, *states: str, seconds: float = 60) -> dict:
        """Poll until the job is in one of `states`, and return its JSON."""
        state = {}

        def is_there() -> bool:
            state.clear()
            state.update(self.state(job))
            return state.get("state") in states

        wait_until(is_there, seconds, lambda: f"the job is still {state}", interval=0.1)
        return state

    def raw(self, request: bytes) -> bytes:
        """Send bytes as they are, and return everything until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def raw_get(self, target: str, *headers: str, method: str = "GET") -> Reply:
        """Request `target` exactly as written, without the encoding that a client applies."""
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]
        return parse(self.raw("\r\n".join(lines).encode("latin-1")))


def upload_head(*headers: str) -> bytes:
    """The request line and header of an upload, with its content type and `headers`."""
    lines = ["POST /cgi-bin/upload.py HTTP/1.1", "Host: localhost", f"Content-Type: {CONTENT_TYPE}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def read_reply(connection: socket.socket) -> Reply:
    """Read a response until the server closes the connection."""
    return parse(b"".join(iter(lambda: connection.recv(65536), b"")))


def parse(answer: bytes) -> Reply:
    """Parse the bytes of a complete response."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status_line, _, lines = head.partition(b"\r\n")
    headers = http.client.parse_headers(io.BytesIO(lines + b"\r\n\r\n"))
    return Reply(int(status_line.split()[1]), headers, body)
