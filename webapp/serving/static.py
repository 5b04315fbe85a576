"""The files in `static/` that a browser fetches by their own address: styles, scripts, words, pictures."""

from webapp.folders import STATIC

# Not asked of the system: on Windows any program may have made .js plain text, which a browser then does not run.
TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
FILES = {
    f"/static/{path.relative_to(STATIC).as_posix()}": (path, f"{TYPES[path.suffix]}; charset=utf-8")
    for path in STATIC.rglob("*")
    if path.suffix in TYPES
}
