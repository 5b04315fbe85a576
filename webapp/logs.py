"""The log on standard error: a line for each request and for each step of a job, for people or, as JSON, for programs.

Jobs' ids open their pages, so no more of one is written than tells it from others; what songs are called, not at all.
"""

import json
import logging
import os
import time

from webapp.jobs import ID

AS_JSON = "LOG_JSON"  # the environment's word for the scripts and the worker


def configure() -> None:
    """Let this process write its log as the environment says."""
    handler = logging.StreamHandler()
    handler.setFormatter(_ForPrograms() if os.environ.get(AS_JSON) else _ForPeople("%(asctime)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class _ForPeople(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _shortened(super().format(record))


class _ForPrograms(logging.Formatter):
    """A JSON object a line: time, level, part, message, and what else the line tells of."""

    converter = time.gmtime
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
        return _shortened(json.dumps(line, ensure_ascii=False))


def _shortened(line: str) -> str:
    return ID.sub(lambda job_id: job_id.group()[:8], line)
