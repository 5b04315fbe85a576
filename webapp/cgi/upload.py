"""Receiving an upload: from the request's body to a job, in constant memory."""

from pathlib import Path

from webapp.audio import recording_check
from webapp.audio.recording_check import RecordingInfo
from webapp.cgi.durable_file import DurableFile
from webapp.cgi.upload_body import Form, UploadRequest, open_body
from webapp.jobs import admission, arrivals, disk_space
from webapp.jobs.job import ENCODED_NAME, SOURCE_NAME, Job
from webapp.pages import visitors

STEP_BYTES = 64 << 20  # by which the reservation of an upload grows whose length is not known


def receive(request: UploadRequest, visitor: str, form: Form | None = None) -> Job:
    """Store the file that `request` sends, check it, and make it a job of `visitor`. `form` gets the other fields.

    Raises HTTPError (400, 408, 413), AudioError, AudioTooLong, TooManyJobs, DiskFull.
    """
    address = visitors.network(request.address)
    admission.check_job_count(visitor, address)
    with admission.upload_folder(request.content_length or STEP_BYTES) as folder:
        path = folder / SOURCE_NAME
        name = _store(request, path, form or Form())
        info = recording_check.check(path)
        if isinstance(info, RecordingInfo):
            path.rename(folder / ENCODED_NAME)
        request.check_server()
        arrivals.announce()  # again: a process that was started at the beginning of a slow upload may have ended
        return admission.create_job(
            folder,
            name=name,
            seconds=info.seconds,
            cut_off=info.cut_off,
            source_remarks=info.remarks,
            wav_bytes=info.wav_bytes if isinstance(info, RecordingInfo) else 0,
            visitor=visitor,
            address=address,
        )


def _store(request: UploadRequest, path: Path, form: Form) -> str:
    """Write the file that `request` sends durably to `path`, and return the name that it was sent under."""
    nb_reserved = request.content_length or STEP_BYTES
    name, pieces = open_body(request, form)
    arrivals.announce()
    with DurableFile(path) as file:
        for piece in pieces:
            if file.nb_written + len(piece) > nb_reserved:
                nb_reserved += STEP_BYTES
                disk_space.reserve(path.parent, nb_reserved)
            file.write(piece)
    return name
