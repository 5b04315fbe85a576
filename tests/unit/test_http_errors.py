"""The HTTP side of the application's errors."""

import inspect

import pytest

from webapp import errors
from webapp.errors import SeparatorError
from webapp.pages.http_errors import RESPONSES, HTTPError, as_http_error, error_body

DOMAIN_ERRORS = [
    error
    for _, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, SeparatorError) and error is not SeparatorError
]


def test_each_error_has_a_status():
    assert set(RESPONSES) == set(DOMAIN_ERRORS)


@pytest.mark.parametrize(
    ("error", "status", "heading", "headers"),
    [
        (errors.JobNotFound(), 404, "Not found", {}),
        (errors.EngineNotFound("x"), 404, "Not found", {}),
        (errors.AudioError("No."), 400, "This file cannot be used", {}),
        (errors.ChoiceError("No."), 400, "These options cannot be used", {}),
        (errors.TooManyJobs("No."), 429, "Too many songs", {"Retry-After": "60"}),
        (errors.DiskFull(), 503, "The disk is full", {"Retry-After": "600"}),
        (HTTPError(400, "No."), 400, "The request could not be processed", {}),
        (HTTPError(401, "No.", {"A": "b"}), 401, "Password required", {"A": "b"}),
        (HTTPError(418, "No."), 418, "Something went wrong", {}),
    ],
)
def test_an_error_becomes_a_response(error, status, heading, headers):
    response = as_http_error(error)
    assert (response.status, response.heading, dict(response.headers)) == (status, heading, headers)
    page, program = error_body(response, wants_json=False)[1].decode(), error_body(response, wants_json=True)[1]
    assert f"<h1>{heading}</h1>" in page
    assert program.startswith(b'{"error": "')
