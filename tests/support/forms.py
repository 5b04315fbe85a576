"""Bodies of multipart/form-data forms (RFC 7578), well-formed or not."""

BOUNDARY = "a-boundary-of-the-tests"
DELIMITER = b"--" + BOUNDARY.encode()
END = DELIMITER + b"--\r\n"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(header: bytes, content: bytes) -> bytes:
    """One part of a form: its header lines, each with its line end, and its content."""
    return DELIMITER + b"\r\n" + header + b"\r\n" + content + b"\r\n"


def file_header(filename: str | bytes = "song.wav") -> bytes:
    """The header of an upload's part. A `filename` of bytes is used as it is, one of text as browsers encode it."""
    filename = encoded_filename(filename) if isinstance(filename, str) else filename
    return b'Content-Disposition: form-data; name="filename"; filename="' + filename + b'"\r\n'


def file_part(content: bytes, filename: str | bytes = "song.wav") -> bytes:
    return part(file_header(filename), content)


def field_part(name: str, value: str) -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"\r\n'.encode(), value.encode())


def upload_form(content: bytes, filename: str | bytes = "song.wav") -> bytes:
    """The body of an upload: one part, the file."""
    return file_part(content, filename) + END


def encoded_filename(filename: str) -> bytes:
    """A file's name as browsers write it in a form (WHATWG HTML, multipart/form-data)."""
    return filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A").encode()
