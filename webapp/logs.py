"""The log on standard error: a line for each request and for each change of a job's state, as text or as JSON.

Only the first characters of a job's id are logged, since the whole id opens the job's pages. Song names are never
logged.
"""

import json
import logging
import os
import re
import time

AS_JSON = "LOG_JSON"  # the environment variable that the server sets for its scripts and its worker
LONG_ID = re.compile(r"([0-9a-f]{8})[0-9a-f]{24}")


def configure() -> None:
    """Set up this process's log, in the format that the environment asks for."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter() if os.environ.get(AS_JSON) else _TextFormatter("%(asctime)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _shorten_ids(super().format(record))


class _JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, part, message, and the record's own values."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "part": record.name,
            "message": record.getMessage(),
            **getattr(record, "values", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _shorten_ids(json.dumps(line, ensure_ascii=False))


def _shorten_ids(line: str) -> str:
    return LONG_ID.sub(r"\1", line)
