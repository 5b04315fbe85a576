"""Where things lie, found from this file and not from the current folder."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "static"
SCRIPTS = ROOT / "cgi-bin"
UPLOADS = ROOT / "uploads"
DOWNLOADS = ROOT / "downloads"
WORKER_LOCK = UPLOADS / ".worker"  # held as long as a worker is at work
