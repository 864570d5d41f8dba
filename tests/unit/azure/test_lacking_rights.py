"""Of what Azure refuses, `lacks_right` tells what its own identity may not do from what something else forbids."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import SimpleNamespace

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from shared.azure.errors import finishing, reading, recording, storing, writing
from shared.ports import AzureFailureError

type Asking = Callable[[str], AbstractContextManager[None]]


def _raised(asking: Asking, status: int, code: str) -> AzureFailureError:
    refused = HttpResponseError(message="no")
    refused.status_code, refused.error = status, SimpleNamespace(code=code)  # type: ignore[assignment]  # all of it that is read
    with pytest.raises(AzureFailureError) as caught, asking("ask"):
        raise refused
    return caught.value


@pytest.mark.parametrize("asking", [reading, recording, storing, writing, finishing])
@pytest.mark.parametrize("code", ["AuthorizationFailed", "LinkedAuthorizationFailed", "OperationFailed", "ANewOne"])
def test_a_refusal_of_the_identity(asking: Asking, code: str) -> None:
    error = _raised(asking, 403, code)
    assert (error.lacks_right, error.code) == (True, code)


# https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-policy-requestdisallowedbypolicy
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "DenyAssignmentAuthorizationFailed"),
        (403, "RequestDisallowedByPolicy"),
        (409, "ScopeLocked"),
        (400, "RoleAssignmentLimitExceeded"),
        (401, "InvalidAuthenticationTokenTenant"),
        (404, "ResourceNotFound"),
        (429, "TooManyRequests"),
        (503, "AuthorizationFailed"),
    ],
)
def test_a_refusal_for_another_reason(status: int, code: str) -> None:
    error = _raised(writing, status, code)
    assert (error.lacks_right, error.code) == (False, code)
    assert "lacks the right" not in error.reason


def test_no_answer_is_no_refusal() -> None:
    with pytest.raises(AzureFailureError) as caught, writing("ask"):
        raise ServiceRequestError("no")
    assert not caught.value.lacks_right
