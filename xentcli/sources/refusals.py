"""Why a server or a store did not give a file, in our words."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from xentcli.errors import InputError, XentError
from xentcli.sources.files import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator

GARBLED = "the server breaks off, or garbles, what it sends"
SERVER_ERROR = "ServerError"  # our name for all other answers of a web server that are errors
STATUSES = {401: "PermissionError", 403: "PermissionError", 404: "FileNotFoundError", 410: "FileNotFoundError"}

# What the class of an error, or of one that caused it, says (the packages that raise them need not be installed);
# the first that fits.
REFUSALS: tuple[tuple[set[str], str, str], ...] = (
    (
        {"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "TokenRetrievalError"},
        "no credentials for this address",
        "set them as for the store's own tools, such as AWS_PROFILE; a public S3 bucket needs FSSPEC_S3_ANON=true",
    ),
    (
        {"TooSlowError", "FSTimeoutError"},
        "the server takes too long",
        "wait longer for each of its answers, in seconds: XENT_SERVER_TIMEOUT=600",
    ),
    (
        {
            "ClientPayloadError", "BadHttpMessage", "TransferEncodingError", "ContentLengthError",
            "IncompleteReadError", "BrokenOffError",
        },
        GARBLED,
        "",
    ),
    ({"TooManyRedirects"}, "the server leads from address to address", ""),
    ({"PermissionError"}, "no permission to read this file", ""),
    (
        {
            "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ClientConnectorError",
            "ServerTimeoutError", "ServerDisconnectedError", "ConnectionError", "TimeoutError", "gaierror",
        },
        "the server cannot be reached",
        "",
    ),
    ({"ClientConnectionError"}, GARBLED, ""),
    ({SERVER_ERROR}, "the server answers with an error", ""),
    ({"FileNotFoundError", "NotADirectoryError"}, "no such file", ""),
)  # fmt: skip


@contextmanager
def told(path: str) -> Iterator[None]:
    """Whatever a store's package raises, as one InputError."""
    try:
        yield
    except XentError:
        raise
    except Exception as error:  # each package has errors of its own
        ours = (each for each in _chain(error) if isinstance(each, XentError))
        raise next(ours, None) or _refusal(path, error) from error


def _refusal(path: str, error: Exception) -> InputError:
    names = set().union(*map(_classes, _chain(error)))
    for classes, what, hint in REFUSALS:
        if names & classes:
            return InputError(what, at=path, found=_words(error) if what.startswith("the server") else "", hint=hint)
    return InputError("cannot read this file", at=path, found=_words(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from; fsspec calls whatever happens on the web a missing file."""
    yield error
    while error.__cause__ is not None:
        error = error.__cause__
        yield error


def _classes(error: BaseException) -> set[str]:
    names, status = {each.__name__ for each in type(error).__mro__}, getattr(error, "status", None)
    if isinstance(status, int) and status and "BadHttpMessage" not in names:  # which has one of the client's own
        return {STATUSES.get(status, SERVER_ERROR)}
    return names


def _words(error: BaseException) -> str:
    last = list(_chain(error))[-1]
    return excerpt(str(last) or type(last).__name__, 100)
