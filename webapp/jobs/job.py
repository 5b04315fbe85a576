"""A job: one recording to separate, the state that it is in, and the paths of its files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from webapp import paths
from webapp.engines import table
from webapp.engines.choices import DEFAULT_ENGINE, DEFAULT_MODEL, TWO_STEMS
from webapp.engines.engine import Engine

SOURCE_NAME = "song.wav"  # of the uploaded file, in its job's folder
ENCODED_NAME = "song.encoded"  # of an uploaded file that is not plain WAV, until it is decoded
STATE_NAME = "state.json"
JOB_ID = re.compile(r"[0-9a-f]{32}")
DEFAULT_FORMAT, FORMATS = "wav", ("wav", "flac")


class JobState(str, Enum):
    """The states of a job. The values are what the state file and the JSON for programs contain."""

    UPLOADED = "uploaded"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"  # the worker ends the separation, if there is one, and removes the files

    def __str__(self) -> str:
        return self.value


TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    JobState.UPLOADED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.QUEUED: frozenset({JobState.UPLOADED, JobState.RUNNING, JobState.FAILED, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(
        {JobState.UPLOADED, JobState.QUEUED, JobState.DONE, JobState.FAILED, JobState.CANCELLED}
    ),
    JobState.DONE: frozenset({JobState.CANCELLED}),
    JobState.FAILED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.CANCELLED: frozenset({JobState.CANCELLED}),
}


class InvalidTransition(Exception):
    """A job was to go to a state that cannot follow its present one. This is a defect of the program."""


@dataclass
class Job:
    """One recording. `name` is the visitor's file name; it is displayed and never used as a path.

    All times are Unix times in seconds, 0 if there was none.
    """

    id: str
    state: JobState
    name: str
    seconds: float  # of audio
    cut_off: bool = False  # the file holds fewer samples than its header says
    engine: str = DEFAULT_ENGINE
    model: str = DEFAULT_MODEL
    targets: list[str] = field(default_factory=list)  # that the model has, where its engine lists them
    stems_wanted: str = TWO_STEMS
    format: str = DEFAULT_FORMAT  # of the downloads, if no other is asked for
    visitor: str = ""  # its owner: the SHA-256 of their cookie, in hexadecimal
    address: str = ""  # the network that it was sent from, "" for this machine
    again_of: str = ""  # the first job over the same source, if this is a later one
    queue_number: int = 0
    attempts: int = 0
    created: float = 0.0
    started: float = 0.0  # when the latest attempt was started
    model_loaded: float = 0.0  # when the latest attempt began to separate, with its model loaded
    finished: float = 0.0
    note: str = ""  # one line for the page, a key to its translation, with placeholders for `note_values`
    note_values: dict[str, str] = field(default_factory=dict)
    # More such lines, each with its values: what was found in the file, and what the engine reports of its stems.
    source_remarks: dict[str, dict[str, str]] = field(default_factory=dict)
    wav_bytes: int = 0  # that the WAV file will have, as long as it is not decoded
    lacks_weights: bool = False  # whether it failed because the model's weights could not be fetched
    stem_remarks: dict[str, dict[str, str]] = field(default_factory=dict)
    error: str = ""  # why it failed: one sentence, a key to its translation

    def __post_init__(self) -> None:
        self.state = JobState(self.state)  # raises ValueError for an unknown state

    def move_to(self, state: JobState) -> None:
        """Change the state. Raises InvalidTransition if `state` cannot follow the present one."""
        if state not in TRANSITIONS[self.state]:
            raise InvalidTransition(f"job {self.id:.8}: from {self.state} to {state}")
        self.state = state

    def fail(self, sentence: str) -> None:
        """Let a pending job fail for the reason given by `sentence`, a key to its translation."""
        self.move_to(JobState.FAILED)
        self.error = sentence

    @property
    def is_pending(self) -> bool:
        """Whether the job waits in the queue or runs."""
        return self.state in (JobState.QUEUED, JobState.RUNNING)

    @property
    def is_unfinished(self) -> bool:
        """Whether the job is not separated yet, and still may be."""
        return self.state == JobState.UPLOADED or self.is_pending

    @property
    def is_done(self) -> bool:
        return self.state == JobState.DONE

    @property
    def can_be_queued(self) -> bool:
        return JobState.QUEUED in TRANSITIONS[self.state] and self.state != JobState.RUNNING

    @property
    def separation_started(self) -> float:
        """Since when the latest attempt separates; since its start, as long as its model is not loaded."""
        return self.model_loaded or self.started

    @property
    def folder(self) -> Path:
        return paths.UPLOADS / self.id

    @property
    def state_file(self) -> Path:
        return self.folder / STATE_NAME

    @property
    def source(self) -> Path:
        return self.folder / SOURCE_NAME

    @property
    def encoded(self) -> Path:
        """The uploaded file, if it is not plain WAV. Decoding replaces it by `source`."""
        return self.folder / ENCODED_NAME

    @property
    def decoded_part(self) -> Path:
        """The WAV file that is being decoded."""
        return self.folder / "song.part"

    @property
    def must_be_decoded(self) -> bool:
        return not self.source.exists() and self.encoded.exists()

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def running_lock(self) -> Path:
        """A lock that the worker and the separation process hold as long as one of them lives."""
        return self.folder / ".running"

    @property
    def outdir(self) -> Path:
        return paths.DOWNLOADS / self.id

    def stem_paths(self) -> dict[str, Path]:
        """The stems' names on the page → the files that the engine writes. Raises EngineNotFound."""
        files = self.find_engine().files(self.model, self.stems_wanted)
        return {name: self.outdir / path for name, path in files.items()}

    def stems(self) -> dict[str, Path]:
        """The finished stems: the names on the page → the files. Empty if the job is not done or its engine is gone."""
        if not self.is_done or self.engine not in table.engines():
            return {}
        return self.stem_paths()

    def find_engine(self) -> Engine:
        """The engine that separates the job. Raises EngineNotFound."""
        return table.find_engine(self.engine)

    def command(self, source: Path, outdir: Path, keep_warm: bool = True) -> list[str]:
        """The argument list that separates `source`, a path to the job's source, into `outdir`.

        If wanted, it keeps the model loaded. Raises EngineNotFound.
        """
        engine = self.find_engine()
        arguments = engine.arguments(source, self.model, outdir, self.stems_wanted, self.targets)
        return [*arguments, *(engine.warm if keep_warm else ())]
