"""Role assignments: what comes of a PUT and a DELETE, whatever Azure answers. Time is the loop's own."""

from collections.abc import Awaitable, Callable

import pytest
from unit.build import REGISTRY, guid
from unit.hurried import run
from unit.scripted import Answer, Transport, live

from shared.access.actions import Grant, Removal
from shared.access.model import Principal
from shared.access.needs import PULL
from shared.access.own_assignments import assignment_name
from shared.azure.azure import LiveAzure
from shared.ports import NotYetError, WriteRefusedError

ME = Principal(guid("me"), "me")
NAME = assignment_name(REGISTRY, ME.id, PULL.role_id)
GRANT = Grant(ME, PULL, REGISTRY, REGISTRY, "rule", ("AML-08",), "why", "source")
REMOVAL = Removal(
    REGISTRY.child("providers", "Microsoft.Authorization", "roleAssignments", NAME),
    REGISTRY,
    ME.id,
    PULL.role_id,
    REGISTRY,
    "rule",
    ("AML-80",),
    "why",
    "source",
)
MADE = {"id": f"{REGISTRY}/x", "name": NAME, "properties": {"principalId": ME.id, "createdOn": "2001-02-03T04:05:06Z"}}
JSON = {"Content-Type": "application/json"}


def _error(status: int, code: str, message: str = "") -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}})


def _came_of(answer: Answer, work: Callable[[LiveAzure], Awaitable[bool]]) -> str:
    said: list[str] = []

    async def carry_out() -> None:
        try:
            said.append("done" if await work(live(Transport(write=[answer]))) else "nothing to do")
        except WriteRefusedError as error:
            said.append(f"{'later' if isinstance(error, NotYetError) else 'failed'}: {error.code}")

    run(carry_out())
    return said[0]


PUTS: dict[str, tuple[Answer, str]] = {
    "made, or there by this name (recorded)": (Answer(201, MADE), "done"),
    "documented for what is there": (Answer(200, MADE), "done"),
    "there by another name": (_error(409, "RoleAssignmentExists", f"The ID is {'0' * 32}."), "nothing to do"),
    "there, without its id": (
        _error(409, "RoleAssignmentExists", "The role assignment already exists."),
        "nothing to do",
    ),
    "not in the directory yet": (_error(400, "PrincipalNotFound"), "later: PrincipalNotFound"),
    "the name belongs to another": (
        _error(400, "RoleAssignmentUpdateNotPermitted"),
        "failed: RoleAssignmentUpdateNotPermitted",
    ),
    "denied": (_error(403, "DenyAssignmentAuthorizationFailed"), "failed: DenyAssignmentAuthorizationFailed"),
    "locked": (_error(409, "ScopeLocked"), "failed: ScopeLocked"),
    "made, and the answer is cut short": (Answer(201, '{"id": "/subscr', JSON), "later: "),
    "made, and the answer is a page": (Answer(201, "<html></html>", JSON), "later: "),
    "made, and the answer is a list": (Answer(201, [MADE]), "later: "),
    "made, and the answer is a text": (Answer(200, '"made"', JSON), "later: "),
    "no time for it": (_error(408, "RequestTimeout"), "later: RequestTimeout"),
    "a gateway fails": (Answer(502, "<html></html>"), "later: "),
    "an error without a body": (Answer(500), "later: "),
}
DELETES: dict[str, tuple[Answer, str]] = {
    "recorded": (Answer(200, MADE), "done"),
    "gone already": (Answer(204), "nothing to do"),
    "denied": (_error(403, "DenyAssignmentAuthorizationFailed"), "failed: DenyAssignmentAuthorizationFailed"),
    "a gateway fails": (Answer(502, "<html></html>"), "later: "),
}


@pytest.mark.parametrize(("answer", "said"), PUTS.values(), ids=PUTS)
def test_a_grant(answer: Answer, said: str) -> None:
    assert _came_of(answer, lambda azure: azure.grant(GRANT, "amlguard")).startswith(said)


@pytest.mark.parametrize(("answer", "said"), DELETES.values(), ids=DELETES)
def test_a_removal(answer: Answer, said: str) -> None:
    assert _came_of(answer, lambda azure: azure.revoke(REMOVAL)).startswith(said)
