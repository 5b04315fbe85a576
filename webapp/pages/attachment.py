"""The header by which a browser saves a response as a file."""

import re
from urllib.parse import quote


def attachment(filename: str) -> str:
    """A `Content-Disposition` header that offers `filename`, in any script (RFC 6266), with an ASCII fallback."""
    plain = re.sub(r'[^ -~]|["\\%]', "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
