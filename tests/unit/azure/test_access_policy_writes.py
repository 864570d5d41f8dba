"""What undo takes out of a vault goes in one request, is looked at afterwards, and nothing else goes with it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from unit.build import VAULT
from unit.hurried import run
from unit.scripted import Answer, Transport, live

from shared.access.actions import Setting
from shared.access.asks import Property
from shared.access.model import Principal
from shared.ports import NotYetError, WriteRefusedError

HOLDER, TENANT = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
OTHER = {"tenantId": TENANT, "objectId": "33333333-0000-4000-8000-000000000003", "permissions": {"keys": ["Get"]}}
type Permissions = Mapping[str, Sequence[str]]


class Wire(Transport):
    """`sent` are the last part of the path and the permissions of each change."""

    def __init__(self, *looks: Answer) -> None:
        super().__init__(look=looks, write=[Answer(200, {})])
        self.sent: list[tuple[str, Permissions]] = []

    async def send(self, request: Any, **options: Any) -> Answer:
        if request.method == "PUT":
            (entry,) = json.loads(request.content)["properties"]["accessPolicies"]
            assert entry["objectId"] == HOLDER
            self.sent.append((request.url.partition("?")[0].rpartition("/")[2], entry["permissions"]))
        return await super().send(request, **options)


def _vault(**permissions: Sequence[str]) -> Answer:
    mine = [{"tenantId": TENANT, "objectId": HOLDER, "permissions": permissions}] if permissions else []
    return Answer(200, {"id": str(VAULT), "properties": {"tenantId": TENANT, "accessPolicies": [OTHER, *mine]}})


def _taken(wire: Wire, *takes: str) -> None:
    setting = Setting(
        VAULT, Property.ACCESS_POLICY, "present", "absent", "rule", ("AML-07",), "why", "source",
        Principal(HOLDER, "it"), takes=takes,
    )  # fmt: skip
    run(live(wire).change(setting))


@pytest.mark.parametrize(
    ("held", "takes", "sent"),
    [
        ({"keys": ["Get", "List"]}, ["keys/list"], ("replace", {"keys": ["Get"]})),
        ({"Keys": ["Get"], "secrets": ["all"]}, ["keys/get"], ("replace", {"Keys": [], "secrets": ["all"]})),
        (
            {"keys": ["Get"], "secrets": ["LIST"]},
            ["keys/get", "secrets/list"],
            ("remove", {"keys": ["Get"], "secrets": ["LIST"]}),
        ),
    ],
)
def test_one_request_takes_it_and_leaves_the_rest(
    held: Permissions, takes: list[str], sent: tuple[str, Permissions]
) -> None:
    rest = {"secrets": ["all"]} if "Keys" in held else {"keys": ["Get"]} if sent[0] == "replace" else {}
    wire = Wire(_vault(**held), _vault(**rest))
    _taken(wire, *takes)
    assert wire.sent == [sent]


def test_azures_word_is_not_taken_for_it() -> None:
    wire = Wire(_vault(keys=["Get", "List"]))
    with pytest.raises(WriteRefusedError, match="the vault still has what was to be taken away"):
        _taken(wire, "keys/get", "keys/list")


def test_what_cannot_be_looked_at_is_not_known() -> None:
    wire = Wire(_vault(keys=["Get"]), Answer(403, {"error": {"code": "AuthorizationFailed", "message": "no"}}))
    with pytest.raises(NotYetError, match="whether it is gone could not be read"):
        _taken(wire, "keys/get")
