"""The errors of the application. Each carries one sentence for the visitor, in the visitor's language.

They know nothing of HTTP: `webapp.pages.http_errors` has the status for each of them.
"""

from webapp.translation import translate


class SeparatorError(Exception):
    """The root of all errors that are reported to the visitor."""

    def __init__(self, sentence: str):
        super().__init__(sentence)
        self.sentence = sentence
        self.job_id = ""  # of the song that the error is about, if it is known


class JobNotFound(SeparatorError):
    """There is no such job, or it was deleted in the meantime."""

    def __init__(self) -> None:
        super().__init__(translate("There is no such file here. Expired files are deleted."))


class JobDeleted(JobNotFound):
    """The job was deleted a moment ago and can be restored."""

    def __init__(self, job_id: str) -> None:
        SeparatorError.__init__(self, translate("This song was deleted."))
        self.job_id = job_id


class StemsNotFound(SeparatorError):
    """The job has no finished stems."""

    def __init__(self) -> None:
        super().__init__(translate("There are no separated files of this song yet."))


class StoredFileNotFound(SeparatorError):
    """A file of a job is not there, or was deleted in the meantime."""

    def __init__(self) -> None:
        super().__init__(translate("There is no such file here."))


class EngineNotFound(SeparatorError):
    """A job names an engine that is no longer in the table of engines."""

    def __init__(self, engine: str):
        super().__init__(
            translate("The engine {engine} was removed from this server, and with it this file's stems.", engine=engine)
        )


class ChoiceError(SeparatorError):
    """The chosen model, stems, format or levels cannot be used."""


class AlreadySeparated(SeparatorError):
    """The job is being separated, or was, and now something else is wanted of it."""


class AudioError(SeparatorError):
    """The file cannot be separated: it is not a WAV file, or not a sound that the engines can read."""


class AudioTooLong(SeparatorError):
    """The recording is longer than the limit."""


class TooManyJobs(SeparatorError):
    """The visitor already has as many jobs that are not separated yet as the limit allows."""


class DiskFull(SeparatorError):
    """The disk, or the share of it that songs may take, is full."""

    def __init__(self, sentence: str = ""):
        super().__init__(sentence or translate("There is no space left on this machine's disk for your file."))
