"""The files that are served unchanged: styles, scripts, translations, pictures."""

from pathlib import Path

from webapp.paths import STATIC, TRANSLATIONS

# The system's own table is not used: on Windows, any program may change the type of .js to plain text, and then
# browsers do not run scripts.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml; charset=utf-8",
    ".webmanifest": "application/manifest+json; charset=utf-8",
}


def _find_files(prefix: str, folder: Path) -> dict[str, tuple[Path, str]]:
    return {
        f"{prefix}/{path.relative_to(folder).as_posix()}": (path, TYPES[path.suffix])
        for path in folder.rglob("*")
        if path.suffix in TYPES
    }


# Route → the file and its content type.
FILES = _find_files("/static", STATIC) | _find_files("/static/translations", TRANSLATIONS)
# A service worker is in charge of the addresses below its own.
FILES["/service-worker.js"] = FILES["/static/offline/service-worker.js"]
