"""Requests as bytes: valid ones for every route, and hand-written ones that exploit common errors of HTTP servers."""

from study.robustness.parser_targets import FORM
from study.robustness.sample_song import BOUNDARY

DONE, UPLOADED = b"d" * 32, b"e" * 32  # placeholders for the ids of jobs in these states
HOST = b"Host: localhost\r\n"
JSON = b"Accept: application/json\r\n"
URLENCODED = b"Content-Type: application/x-www-form-urlencoded\r\n"
MULTIPART = b"Content-Type: multipart/form-data; boundary=" + BOUNDARY.encode() + b"\r\n"
MIXTURE = b"/downloads/" + DONE + b"/mixture.wav"
NEXT = b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"  # a smuggled second request


def get(target: bytes, *lines: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    """Return a request without a body. `lines` are further headers, each with its line ending."""
    return method + b" " + target + b" " + version + b"\r\n" + HOST + b"".join(lines) + b"\r\n"


def post(script: str, body: bytes, *lines: bytes) -> bytes:
    """Return a request with a body and its length."""
    length = b"Content-Length: %d\r\n" % len(body)
    return get(f"/cgi-bin/{script}.py".encode(), *lines, length, method=b"POST") + body


def _fields(**values: bytes) -> bytes:
    return b"&".join(name.encode() + b"=" + value for name, value in values.items())


def _page(script: str, job: bytes = b"", more: bytes = b"") -> bytes:
    return get(f"/cgi-bin/{script}.py".encode() + (b"?job=" + job if job else b"") + more)


BY_SERVER = [  # answered by the server itself
    get(b"/", b"Accept-Language: uk,en;q=0.5\r\n"),
    get(b"/health"),
    get(b"/metrics"),
    get(b"/static/style.css", b'If-None-Match: "1-2"\r\n'),
    get(b"/static/index.js"),
    get(b"/static/logo.svg", method=b"HEAD"),
    get(b"/cgi-bin/job.py?job=" + DONE, JSON),
    get(b"/cgi-bin/job.py?job=" + UPLOADED, JSON),
    get(b"/cgi-bin/songs.py", JSON, b"Cookie: visitor=" + b"0" * 64 + b"\r\n"),
    get(b"/downloads/" + DONE + b"/vocals.wav", b"Range: bytes=0-99\r\n"),
    get(b"/downloads/" + DONE + b"/music.wav", b'Range: bytes=-5\r\nIf-Range: "1-2"\r\n'),
    get(MIXTURE + b"?in-pieces", b"Range: bytes=100-\r\n"),
    get(b"/downloads/" + DONE + b"/vocals.peaks"),
    get(b"/downloads/" + DONE + b"/vocals.wav", method=b"HEAD"),
    get(b"/") + get(b"/static/style.css") + NEXT,  # pipelined
]
BY_SCRIPTS = [  # answered by CGI scripts
    _page("uploaded", UPLOADED),
    _page("job", DONE),
    _page("download", DONE),
    _page("download", DONE, b"&with=" + UPLOADED),
    _page("songs"),
    _page("zip", DONE),
    _page("mix", DONE, b"&vocals=0.5&music=1&format=wav"),
    post("upload", FORM, MULTIPART),
    post("upload", FORM, MULTIPART, JSON, b"Cookie: visitor=" + b"0" * 64 + b"\r\n"),
    post("separate", _fields(job=UPLOADED, model=b"starter", stems=b"2", format=b"wav"), URLENCODED),
    post("separate", _fields(job=UPLOADED), URLENCODED, JSON),
    post("again", _fields(job=DONE, model=b"starter", stems=b"2", format=b"flac"), URLENCODED, JSON),
    post("delete", _fields(job=UPLOADED, back=b"songs"), URLENCODED),
]

_DELETE = b"job=" + UPLOADED
_TO_DELETE = b"POST /cgi-bin/delete.py HTTP/1.1\r\n" + HOST + URLENCODED
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_CHUNKS = b"5\r\njob=a\r\n0\r\n\r\n"
SMUGGLING = {  # each may get one response at most, and none to a request in its body
    "two lengths": _TO_DELETE + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\njob=a" + NEXT,
    "two lengths in one header": _TO_DELETE + b"Content-Length: 5, 5\r\n\r\njob=a" + NEXT,
    "a length, then chunked": _TO_DELETE + b"Content-Length: 4\r\n" + _CHUNKED + b"\r\n" + _CHUNKS + NEXT,
    "chunked, then a length": _TO_DELETE + _CHUNKED + b"Content-Length: 4\r\n\r\n" + _CHUNKS + NEXT,
    "chunked": _TO_DELETE + _CHUNKED + b"\r\n" + _CHUNKS + NEXT,
    "chunked, malformed": _TO_DELETE + b"Transfer-Encoding:\x0bchunked\r\n\r\n" + _CHUNKS + NEXT,
    "two transfer encodings": _TO_DELETE + _CHUNKED + b"Transfer-Encoding: identity\r\n\r\n" + _CHUNKS + NEXT,
    "chunked GET": get(b"/", _CHUNKED) + _CHUNKS + NEXT,
    "a negative length": _TO_DELETE + b"Content-Length: -1\r\n\r\n" + NEXT,
    "a length with a sign": _TO_DELETE + b"Content-Length: +5\r\n\r\njob=a" + NEXT,
    "a length in hexadecimal": _TO_DELETE + b"Content-Length: 0x5\r\n\r\njob=a" + NEXT,
    "a length with too many digits": _TO_DELETE + b"Content-Length: " + b"9" * 400 + b"\r\n\r\njob=a" + NEXT,
    "a request inside the body": post("delete", _DELETE + NEXT, URLENCODED),
    "a body longer than its length": _TO_DELETE + b"Content-Length: 1\r\n\r\n" + _DELETE + NEXT,
    "a GET with a body": get(b"/", b"Content-Length: 5\r\n") + b"job=a" + NEXT,
    "folded header lines": get(b"/", b"A: b\r\n Content-Length: 5\r\n", b"\tc\r\n", b"Content-Length: x\r\n") + NEXT,
    "a folded first header line": b"GET / HTTP/1.1\r\n folded\r\n" + HOST + b"\r\n" + NEXT,
    "a space before the colon": _TO_DELETE + b"Content-Length : 5\r\n\r\njob=a" + NEXT,
    "a header without a colon": get(b"/", b"no header\r\n") + NEXT,
    "a header without a name": get(b"/", b": x\r\n") + NEXT,
    "two hosts": get(b"/", HOST) + NEXT,
    "another host": b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n" + NEXT,
    "no host": b"GET / HTTP/1.1\r\n\r\n" + NEXT,
    "NUL in the target": get(b"/\0/../server.py") + NEXT,
    "NUL in a header": get(b"/", b"A: \0\r\n") + NEXT,
    "NUL in a header name": get(b"/", b"A\0: b\r\n") + NEXT,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "HTTP/9.9": get(b"/", version=b"HTTP/9.9") + NEXT,
    "HTTP/0.9": b"GET /\r\n" + HOST + b"\r\n" + NEXT,
    "HTTP/0.9 alone": b"GET /\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "only NUL": bytes(5000),
    "many headers": get(b"/", *[b"X-%d: x\r\n" % number for number in range(5000)]) + NEXT,
    "a long header": get(b"/", b"X: " + b"x" * 100_000 + b"\r\n") + NEXT,
    "headers of a megabyte": get(b"/", *[b"X-%d: %s\r\n" % (number, b"x" * 10_000) for number in range(100)]),
    "a long target": get(b"/" + b"x" * 100_000) + NEXT,
    "a target of a megabyte": get(b"/cgi-bin/job.py?job=" + b"x" * 1_000_000),
    "a form that is too long": post("delete", b"job=" + b"x" * 70_000, URLENCODED),
    "many fields": post("delete", b"&".join([b"job=a"] * 9000), URLENCODED),
    "an upgrade": get(b"/", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
}
TARGETS = [
    b"*",
    b"http://localhost/server.py",
    b"http://localhost/../server.py",
    b"http://example.org/",
    b"//example.org/server.py",
    b"localhost:8000",
    b"file:///etc/passwd",
    b"/../../../../etc/passwd",
    b"/static/../server.py",
    b"/static/%2e%2e/server.py",
    b"/static/..%2fserver.py",
    b"/static/..%5cserver.py",
    b"/static/..\\server.py",
    b"/static//etc/passwd",
    b"/cgi-bin/../server.py",
    b"/cgi-bin%2fjob.py?job=" + DONE,
    b"/cgi-bin/job.py%00?job=" + DONE,
    b"/cgi-bin/job.py/../../server.py",
    b"/cgi-bin/x.py#/../../server.py",
    b"/downloads/" + DONE + b"/../../server.py",
    b"/downloads/" + DONE + b"/..%2f..%2fserver.py",
    b"/downloads/../uploads/" + DONE + b"/song.wav",
    b"/uploads/" + DONE + b"/state.json",
    b"/.git/config",
    b"/\xff\xfe/%ff",
    b"/server.py?x=/static/style.css",
]
HAND_WRITTEN = list(SMUGGLING.values())
HAND_WRITTEN += [
    get(target, method=method) for target in TARGETS for method in (b"GET", b"HEAD", b"OPTIONS", b"CONNECT")
]
# This server, like most, accepts a bare LF as the end of a line. Each of these must be one request.
HAND_WRITTEN += [raw.replace(b"\r\n", b"\n") for raw in (*BY_SERVER, *BY_SCRIPTS)]
HAND_WRITTEN += [get(b"/", b"A: b\rContent-Length: 5\r\n"), get(b"/").replace(b"\r\n", b"\r")]
# What programs send, and what ended in a traceback, in silence or in sound that nobody had sent.
HAND_WRITTEN += [
    get(b"/cgi-bin/upload.py", MULTIPART, _CHUNKED, method=b"POST") + b"%x\r\n%s\r\n0\r\n\r\n" % (len(FORM), FORM),
    get(b"/cgi-bin/upload.py", _CHUNKED, method=b"PUT") + b"4\r\nRIFF\r\n0\r\n\r\n",
    post("upload", FORM.replace(b"--\r\n", b"\r\n") + FORM, MULTIPART),
    get(b"/cgi-bin/songs.py", b"Cookie: " + b"\xe9" * 45_000 + b"\r\n " + b"\xe9" * 45_000 + b"\r\n"),
    b"\r\n\r\n" + get(b"/", b"Connection: foo, close\r\n"),
    get(b"http://localhost/health"),
    get(b"/downloads/" + DONE + b"/vocals.wav", b'If-Match: "1-2"\r\n'),
]
