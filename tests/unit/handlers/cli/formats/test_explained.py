"""`amlguard explain` as a tree and as a picture."""

from typing import Any

import pytest
from plans import HOSTILE, poisoned
from unit.build import (
    GROUP,
    REGISTRY,
    STORAGE,
    assigned,
    cluster,
    estate,
    guid,
    registry,
    sai,
    terms,
    uai,
    workspace,
    workspace_id,
)

from handlers.cli.explanation import Explanation
from handlers.cli.formats import mermaid
from handlers.cli.formats.screen import Screen
from shared.access.access_map import access_map
from shared.access.explain import explain, users
from shared.access.model import Estate
from shared.access.plan import plan
from shared.access.scope import Scope


def _estate() -> tuple[Estate, dict[str, Any]]:
    """Three identities: one holds its role directly, one through a group, one lacks it; a role is for nothing."""
    direct, member, without = uai("direct"), sai("member"), sai("without")
    subject = workspace(cluster("direct", direct), cluster("member", member), cluster("without", without))
    held = [
        assigned(direct, "AcrPull", REGISTRY),
        assigned("pullers", "AcrPull", GROUP),
        assigned(direct, "Storage Blob Data Owner", STORAGE.child("blobServices", "default")),
    ]
    made = estate(subject, registry(admin_user=True), held=held, groups={"pullers": [member]})
    return made, {"direct": direct, "member": member}


def explanation(resource: Scope) -> Explanation:
    seen, _ = _estate()
    made = plan(seen, terms())
    return Explanation(resource, (explain(seen, terms(), made, resource),), users(seen, terms(), made, resource))


def test_a_registry_shows_who_holds_what_through_what_and_who_still_needs_its_admin_user() -> None:
    said = explanation(REGISTRY).text(Screen())
    lines = said.splitlines()
    assert lines[0] == f"registry acrml  {REGISTRY}"
    at = next(number for number, line in enumerate(lines) if line.startswith("├─ compute mlw/direct"))
    assert lines[at + 1].startswith("│  └─ ✓ pull images on registry acrml")
    assert f"held through AcrPull at {REGISTRY} (assignment " in lines[at + 2]
    assert f"as a member of group {guid('pullers')}" in said
    assert "✗ pull images on registry acrml" in said
    assert "missing Microsoft.ContainerRegistry/registries/pull/read" in said
    assert "to be granted: AcrPull" in said
    users_at = said.index("Who uses it, and whether each of them can do without its admin user: ")
    assert "may still need its admin user" in said[users_at:]
    assert said.index("✗ puller", users_at) < said.index("✓ puller", users_at), "who needs it comes first"


def test_an_identity_shows_what_each_of_its_roles_is_for() -> None:
    resource = uai("direct").resource
    assert resource is not None
    document = explanation(resource).document()
    used = {one["roleName"]: one["usedFor"] for one in document["roles"]}
    assert used["AcrPull"] == ["pull images on acrml"]
    assert used["Storage Blob Data Owner"] == []
    said = explanation(resource).text(Screen())
    assert "roles that it holds, and what for" in said
    assert "for: pull images on acrml" in said
    assert "no rule asks for what it gives" in said


def test_a_workspace_has_no_list_of_roles() -> None:
    """All of its identities' roles would be a list of everything."""
    assert explanation(workspace_id()).document()["roles"] == []


def test_a_picture_leads_from_identities_by_roles_to_resources() -> None:
    said = mermaid.text(explanation(REGISTRY).document())
    lines = said.splitlines()
    assert lines[0] == "flowchart LR"
    assert sum(" --> " in line for line in lines) == 3
    assert sum(" -.-> " in line for line in lines) == 1
    assert "AcrPull at registry acrml" in said
    assert any(line.strip().startswith("class ") and line.endswith(" missing") for line in lines)


@pytest.mark.parametrize("evil", HOSTILE.values(), ids=[name.replace(" ", "-") for name in HOSTILE])
def test_hostile_names_change_neither_tree_nor_picture(evil: str) -> None:
    clean = explanation(REGISTRY).document()
    dirty = poisoned(clean, evil)
    pictures = [mermaid.text(one).splitlines() for one in (clean, dirty)]
    assert [line for line in pictures[1] if "-->" in line or "-.->" in line]
    assert len(pictures[1]) <= len(pictures[0])
    assert not [line for line in pictures[1] if evil in line and len(evil) > 1]
    assert all(line.count('"') in {0, 2} for line in pictures[1])


def test_nothing_to_show_is_a_picture_too() -> None:
    said = mermaid.text(Explanation(STORAGE).document())
    assert "nobody needs anything here" in said


def test_the_map_of_a_workspace_says_what_is_held_missing_and_too_broad() -> None:
    seen, _ = _estate()
    whole = explain(seen, terms(), plan(seen, terms()), workspace_id())
    edges = {(one["identity"], one["target"]): one for one in access_map(whole, seen)}
    kinds = {name: edges[name, str(REGISTRY)]["kind"] for name in ("direct", "member", "without")}
    assert kinds == {"direct": "held", "member": "held", "without": "missing"}
    assert edges["member", str(REGISTRY)]["through"] == f"at {GROUP} through a group"
    owner = estate(workspace(cluster("cpu", sai("cpu"))), registry(), held=[assigned(sai("cpu"), "Owner", GROUP)])
    made = explain(owner, terms(), plan(owner, terms()), workspace_id())
    assert [one["kind"] for one in access_map(made, owner) if one["identity"] == "cpu"] == ["broad"]
