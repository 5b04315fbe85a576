"""A small HTTP client for the tests: what a browser or a program would send, and also what they never would."""

import http.client
import io
import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

BOUNDARY = "a-boundary-of-the-tests"


@dataclass(frozen=True)
class Reply:
    """A server's whole answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    def json(self) -> dict:
        return json.loads(self.body)


class Client:
    """Talks to the server on `port`. Redirects are not followed: a test says where it goes."""

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

    def upload(self, content: bytes | Path, name: str = "song.wav", json_wanted: bool = False) -> Reply:
        content = content.read_bytes() if isinstance(content, Path) else content
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        if json_wanted:
            headers["Accept"] = "application/json"
        return self.request("POST", "/cgi-bin/upload.py", multipart(content, name), headers)

    def state(self, job: str) -> dict:
        return self.get_json(f"/cgi-bin/job.py?job={job}").json()

    def uploaded_job(self, content: bytes | Path, name: str = "song.wav") -> str:
        """Upload, and return the job."""
        reply = self.upload(content, name, json_wanted=True)
        assert reply.status == 201, reply.text
        return reply.json()["job"]

    def separate(self, job: str, model: str = "starter") -> Reply:
        return self.post("/cgi-bin/separate.py", json_wanted=True, job=job, model=model)

    def wait_for(self, job: str, *states: str, seconds: float = 60) -> dict:
        """Ask until the job is in one of `states`."""
        deadline = time.monotonic() + seconds
        while (state := self.state(job)).get("state") not in states:
            assert time.monotonic() < deadline, f"the job is still {state}"
            time.sleep(0.1)
        return state

    def raw(self, request: bytes) -> bytes:
        """Send bytes as they are, and return all that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def raw_get(self, target: str, *headers: str, method: str = "GET") -> Reply:
        """Ask for a target that no honest client would write, byte by byte as it stands."""
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]
        return parse(self.raw("\r\n".join(lines).encode("latin-1")))


def parse(answer: bytes) -> Reply:
    """A whole answer, as it came."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status_line, _, lines = head.partition(b"\r\n")
    headers = http.client.parse_headers(io.BytesIO(lines + b"\r\n\r\n"))
    return Reply(int(status_line.split()[1]), headers, body)


def multipart(content: bytes, name: str) -> bytes:
    """A form with one file, as browsers write it."""
    head = (
        b'Content-Disposition: form-data; name="filename"; filename="'
        + quoted(name)
        + b'"\r\nContent-Type: audio/wav\r\n\r\n'
    )
    edge = b"--" + BOUNDARY.encode()
    return edge + b"\r\n" + head + content + b"\r\n" + edge + b"--\r\n"


def quoted(name: str) -> bytes:
    """A file's name as browsers write it in a form (WHATWG HTML, multipart/form-data)."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A").encode()
