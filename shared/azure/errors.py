"""Azure's errors in amlguard's words. ARM's own messages are dropped: they may name people (law 11)."""

import math
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.core.polling.base_polling import BadResponse, OperationFailed

from shared.azure.retries import asked_to_wait
from shared.ports import (
    AuditFailedError,
    AzureFailureError,
    NotBegunError,
    NotYetError,
    ReadFailedError,
    TellFailedError,
    WriteRefusedError,
)

# How the SDKs, and amlguard's own readers, fail on an answer that is not JSON, or JSON of another shape. zlib's
# error is that of a body that is not compressed as its header says, and azure-core lets it out.
_MALFORMED = (TypeError, ValueError, LookupError, AttributeError, RecursionError, zlib.error)

# What may well succeed on another try: the identity is still replicating, or Azure is busy.
_LATER = {"PrincipalNotFound", "SubscriptionRequestsThrottled", "TooManyRequests"}

# Subscriptions of another tenant: ARM does not even accept the token there.
_OF_OTHERS = {"InvalidAuthenticationTokenTenant", "LinkedInvalidAuthenticationTokenTenant"}

_NOT_AZURES = "the answer is not one that Azure gives"
_UNTOLD = "whether it is done is not known yet"
# aiohttp's words, also where azure-identity repeats them; and Microsoft Entra's error codes.
_HOST = re.compile(r"Cannot connect to host ([\w.-]+)(?:(:\d+))? ")
_ENTRA = re.compile(r"AADSTS\d+")
# A code goes on record and to the screen as it is, so it is a word. Only Azure's own answers have one.
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,100}")

_REFUSALS = {
    "RoleAssignmentLimitExceeded": "the subscription has as many role assignments as Azure allows",
    "RoleAssignmentUpdateNotPermitted": "an assignment of the same name belongs to an identity that was re-created",
    "ScopeLocked": "a lock forbids the change",
    "DenyAssignmentAuthorizationFailed": "a deny assignment forbids amlguard to make the change",
    "RequestDisallowedByPolicy": "an Azure Policy assignment forbids the change",
    "PrincipalNotFound": "the identity is not in the directory yet",
    "RoleDefinitionDoesNotExist": "the role does not exist in this cloud",
    "ResourceNotFound": "the resource does not exist (any more)",
    "ResourceGroupNotFound": "the resource group does not exist (any more)",
}

_GONE_FOR_GOOD = {"RoleDefinitionDoesNotExist"}


def code(error: AzureError) -> str:
    """Azure's error code, or else the exception's name."""
    told = str(getattr(getattr(error, "error", None), "code", None) or "")
    return told if _CODE.fullmatch(told) else type(error).__name__


class _Beside(TypedDict):
    """What an error says in addition to its code and its reason."""

    lacks_right: bool
    wait: timedelta


def _beside(error: AzureError) -> _Beside:
    return {"lacks_right": _lacks_right(error), "wait": _wait(error)}


def _wait(error: AzureError) -> timedelta:
    answer = getattr(error, "response", None)
    return timedelta() if answer is None else asked_to_wait(answer.headers)


def status(error: AzureError) -> int | None:
    return error.status_code if isinstance(error, HttpResponseError) else None


@contextmanager
def reading(operation: str, role: str = "Reader") -> Iterator[None]:
    """Raises `ReadFailedError` for whatever goes wrong inside. `role` is the role that amlguard has for it."""
    try:
        yield
    except AzureError as error:
        forbidden = status(error) == 403 or code(error) in _OF_OTHERS
        reason = _explain(error, role)
        raise ReadFailedError(operation, code(error), reason, forbidden=forbidden, **_beside(error)) from None
    except _MALFORMED as error:
        raise ReadFailedError(operation, "MalformedAnswer", _NOT_AZURES) from error


@contextmanager
def recording(operation: str) -> Iterator[None]:
    try:
        yield
    except AzureError as error:
        reason = _explain(error, "Monitoring Metrics Publisher")
        raise AuditFailedError(operation, code(error), reason, **_beside(error)) from None
    except _MALFORMED:
        raise AuditFailedError(operation, "MalformedAnswer", _NOT_AZURES) from None


@contextmanager
def storing(operation: str, role: str = "Storage Blob Data Owner") -> Iterator[None]:
    try:
        yield
    except AzureError as error:
        reason = _explain(error, role)
        raise AzureFailureError(operation, code(error), reason, **_beside(error)) from None
    except _MALFORMED:
        raise AzureFailureError(operation, "MalformedAnswer", _NOT_AZURES) from None


@contextmanager
def telling(operation: str, role: str = "EventGrid Data Sender") -> Iterator[None]:
    """A topic answers 401 to an identity without the role (github.com/Azure/azure-sdk-for-net/issues/22831)."""
    try:
        yield
    except AzureError as error:
        if status(error) == 401 and code(error) == "Unauthorized":
            reason = f"the topic takes no events of amlguard's identity: it lacks the right to send them ({role})"
            raise TellFailedError(operation, code(error), reason, lacks_right=True) from None
        raise TellFailedError(operation, code(error), _explain(error, role), **_beside(error)) from None
    except _MALFORMED:
        raise TellFailedError(operation, "MalformedAnswer", _NOT_AZURES) from None


@contextmanager
def writing(operation: str, role: str = "amlguard Settings Writer") -> Iterator[None]:
    """Raises `WriteRefusedError`, of the kind that the answer tells. `role` is amlguard's role for it."""
    try:
        yield
    except AzureError as error:
        raise _kind(error)(operation, code(error), _refusal(error, role), **_beside(error)) from None
    except _MALFORMED:
        raise NotYetError(operation, "MalformedAnswer", f"{_NOT_AZURES}: {_UNTOLD}") from None


@contextmanager
def finishing(operation: str) -> Iterator[None]:
    """For the time in which a change that Azure has begun is followed to its end.

    Raises `WriteRefusedError` if Azure gave it up, and `NotYetError` if nobody can tell how it ended: it may be done.
    """
    try:
        yield
    except BadResponse:  # accepted, but without anything to follow
        raise NotYetError(operation, "NoOperation", f"Azure accepted the change: {_UNTOLD}") from None
    except AzureError as error:
        if isinstance(error.__cause__, OperationFailed):
            raise WriteRefusedError(operation, code(error), "Azure began the change and gave it up") from None
        reason = f"Azure began the change: {_UNTOLD} ({_explain(error, 'Reader')})"
        raise NotYetError(operation, code(error), reason, **_beside(error)) from None
    except _MALFORMED:
        raise NotYetError(operation, "MalformedAnswer", f"Azure began the change: {_UNTOLD}") from None
    except TimeoutError:
        raise NotYetError(operation, "Timeout", f"Azure began the change and has not finished it: {_UNTOLD}") from None


def _lacks_right(error: AzureError) -> bool:
    """A 403 that no lock, deny assignment or policy explains: amlguard's own identity lacks the right."""
    return status(error) == 403 and code(error) not in _REFUSALS


def _kind(error: AzureError) -> type[WriteRefusedError]:
    """Only a status of 400 to 499 says that nothing was done. An answer of 2xx that cannot be read says that it was.

    A gateway's 408 and 499 only say that somebody did not wait for the answer.
    """
    answered = status(error)
    if answered is None or answered in (408, 499) or not 400 <= answered < 500:
        return NotYetError
    passing = (
        answered in (425, 429)
        or code(error) in _LATER
        # What is gone for good, the next look finds gone: ARM answers so for a moment as well.
        or (answered == 404 and code(error) not in _GONE_FOR_GOOD)
        # Something else is at the resource, such as AnotherOperationInProgress. A lock is a 409 as well.
        or (answered in (409, 423) and code(error) not in _REFUSALS)
    )
    return NotBegunError if passing else WriteRefusedError


def _refusal(error: AzureError, role: str) -> str:
    known = _REFUSALS.get(code(error))
    if known:
        return known
    if status(error) == 403 and "condition" in str(error).casefold():
        return (
            "Azure refused it: the condition on amlguard's own role assignment does not allow this role or principal. "
            "A new version or a changed policy needs a new one: deploy infra/ after `make docs`, or set what "
            "`amlguard policy condition --policy FILE` prints"
        )
    if status(error) == 403:
        return f"Azure refused it: amlguard's identity lacks the right to make this change here ({role})"
    return _explain(error, role)


def _explain(error: AzureError, role: str) -> str:
    if isinstance(error, ClientAuthenticationError):
        return _not_signed_in(error)
    if isinstance(error, HttpResponseError) and error.status_code:
        lacking = f": the identity lacks the right to do this ({role})" if _lacks_right(error) else ""
        return f"Azure answered {error.status_code}{lacking}{_until(_wait(error))}"
    if isinstance(error, ServiceRequestError):
        return _unreached(str(error))
    return "Azure did not answer"


def _until(wait: timedelta) -> str:
    if not wait:
        return ""
    again = datetime.now(UTC) + wait
    return f" and asks to wait {math.ceil(wait.total_seconds())} seconds: try again after {again:%Y-%m-%d %H:%M:%S} UTC"


def _not_signed_in(error: ClientAuthenticationError) -> str:
    """What azure-identity says is long and names people. Only the host and the error code are kept."""
    text = str(error)
    if _HOST.search(text):
        return f"nobody could sign in: {_unreached(text)}"
    refused = _ENTRA.search(text)
    if refused:
        return f"Microsoft Entra refused the sign-in ({refused[0]}): sign in again (`az login`), or correct the secret"
    if error.status_code:
        return (
            f"Azure does not accept the sign-in ({error.status_code}): sign in again, to the right tenant (`az login`)"
        )
    return (
        "nobody is signed in: run `az login` (a service principal: set AZURE_CLIENT_ID, AZURE_TENANT_ID and "
        "AZURE_CLIENT_SECRET; in Azure: give the app a managed identity)"
    )


def _unreached(text: str) -> str:
    found = _HOST.search(text)
    port = found[2] or "" if found else ""
    host = f"host {found[1]}{port if port != ':443' else ''}" if found else "Azure"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            f"the TLS certificate of {host} is not trusted here: if a proxy or the local Azure made it, name its CA "
            "in SSL_CERT_FILE and REQUESTS_CA_BUNDLE"
        )
    if any(word in text for word in ("SSLError", "WRONG_VERSION_NUMBER", "TLSV1")):
        return f"no TLS connection to {host} could be made: check its name and port, and the proxy (HTTPS_PROXY)"
    return f"{host} could not be reached: check its name, the network and the proxy (HTTPS_PROXY)"
