"""Workspaces as Microsoft's quickstart for user-assigned identities sets them up: nothing is asked for.

The template (machine-learning-dependencies-role-assignment) makes the identity Contributor and Storage Blob Data
Contributor on storage, Key Vault Administrator with an access policy for secrets on the vault, Contributor on the
registry and on the vault of the encryption key. Take one away, and exactly that one is asked for (ADR 11).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from catalogue.build import (
    BLOB_CONTRIBUTOR,
    CONTRIBUTOR,
    KEY_VAULT_ADMINISTRATOR,
    assign,
    insights,
    policy,
    registry,
    storage,
    uai,
    user,
    vault,
    workspace,
)
from catalogue.case import Place, Raw, Tenant
from catalogue.gathered import document
from catalogue.gathered import policy as policy_file
from local_azure import LocalAzure
from wire import Json

# part of the template: the dependency, and the role (none: an access policy)
GRANTS = {
    "storage control": ("storage", "Contributor"),
    "storage blobs": ("storage", "Storage Blob Data Contributor"),
    "vault role": ("vault", "Key Vault Administrator"),
    "vault policy": ("vault", None),
    "registry control": ("registry", "Contributor"),
    "key vault control": ("key vault", "Contributor"),
}
_ROLES = {
    "Contributor": CONTRIBUTOR,
    "Storage Blob Data Contributor": BLOB_CONTRIBUTOR,
    "Key Vault Administrator": KEY_VAULT_ADMINISTRATOR,
}
_SECRETS = ["get", "list", "set", "delete", "recover", "backup", "restore"]
ABOUT_IDENTITIES = {f"AML-{number:02}" for number in range(1, 18)}


@dataclass(frozen=True)
class Built:
    """`layout`: the vault in access-policy mode as the template has it, in RBAC mode, or as the template but with its
    own resource groups and the Contributor on the workspace's that the template gives on request. `documentation`: in
    RBAC mode, with control of workspace and Application Insights besides: the documentation's way, one short.
    """

    layout: str
    without: str = ""

    @property
    def place(self) -> Place:
        return Place(f"quickstart-{self.layout}-{self.without.replace(' ', '-') or 'whole'}")

    @property
    def scopes(self) -> dict[str, str]:
        return {name: one["id"] for name, one in self._parts().items()}

    def _parts(self) -> dict[str, Raw]:
        place, me = self.place, self.place.object_id("uami")
        bare = self.without == "vault policy" or self.layout == "documentation"
        policies = [] if bare else [policy(me, secrets=_SECRETS)]
        parts = {
            "storage": storage(place),
            "vault": vault(place, rbac=self.layout in ("rbac", "documentation"), policies=policies),
            "registry": registry(place),
            "key vault": vault(place, rbac=False, name=f"key{place.unique}"),
        }
        if self.layout == "groups":
            for name, part in parts.items():
                part["id"] = part["id"].replace(place.group, f"{place.group}-{name.replace(' ', '-')}")
        return parts

    def tenant(self) -> Tenant:
        place, parts, one, appi = self.place, self._parts(), uai(self.place), insights(self.place)
        me = place.object_id("uami")
        encryption = {
            "status": "Enabled",
            "identity": {"userAssignedIdentity": one["id"]},
            "keyVaultProperties": {"keyVaultArmId": parts["key vault"]["id"], "keyIdentifier": "https://k/keys/k/1"},
        }
        ws = workspace(
            place,
            identity=user(one),
            primaryUserAssignedIdentity=one["id"],
            storageAccount=parts["storage"]["id"],
            keyVault=parts["vault"]["id"],
            containerRegistry=parts["registry"]["id"],
            applicationInsights=appi["id"],
            encryption=encryption,
        )
        held = [
            assign(parts[where]["id"], me, _ROLES[role])
            for name, (where, role) in GRANTS.items()
            if role and name != self.without
        ]
        held += [assign(place.group, me, CONTRIBUTOR)] if self.layout == "groups" else []
        held += [assign(one["id"], me, CONTRIBUTOR) for one in (ws, appi) if self.layout == "documentation"]
        return Tenant([one, appi, ws, *parts.values()], held)


BUILT = [Built(layout, without) for layout in ("policies", "rbac", "groups") for without in ("", *GRANTS)]
ONE_SHORT = Built("documentation")


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Json]:
    tenant = document(one.tenant() for one in (*BUILT, ONE_SHORT))
    # The template takes dependencies from any resource group of the subscription.
    rules = policy_file(trust={"boundary": "subscription"})
    azure = LocalAzure.start(tmp_path_factory.mktemp("quickstart"), tenant, rules, functions=False)
    try:
        ran = azure.run("plan", "--format", "json", "--policy", str(azure.folder / "policy.yaml"))
        assert ran.code == 2, ran.err  # of the workspaces, not of their identities, there is something to say
        yield ran.document
    finally:
        azure.stop()


def asked(planned: Json, one: Built) -> list[tuple[str, str | None]]:
    """(scope, role) of all that the plan asks for, or says of an identity."""
    mine = f"{one.place.subscription}/"
    held_back = [withheld["action"] for withheld in planned["withheld"]]
    grants = [(g["scope"], g["roleName"]) for g in (*planned["grants"], *held_back) if "roleName" in g]
    settings = [(s["resourceId"], None) for s in (*planned["settings"], *held_back) if "property" in s]
    said = [
        (
            f["remedy"].rpartition("--scope ")[2].partition("`")[0],
            f["remedy"].partition('--role "')[2].partition('"')[0],
        )
        for f in planned["findings"]
        if ABOUT_IDENTITIES & set(f["requirements"]) and f["resourceId"].startswith(mine)
    ]
    return [pair for pair in (*grants, *settings, *said) if pair[0].startswith(mine)]


@pytest.mark.parametrize("one", [b for b in BUILT if not b.without], ids=lambda one: one.layout)
def test_the_whole_template_leaves_nothing_to_ask_for(planned: Json, one: Built) -> None:
    assert planned["errors"] == []
    assert asked(planned, one) == []


# In RBAC mode an access policy does nothing: nobody misses it.
INERT = Built("rbac", "vault policy")


@pytest.mark.parametrize("one", [b for b in BUILT if b.without and b != INERT], ids=lambda one: one.place.name)
def test_what_is_taken_away_is_asked_for_and_nothing_else(planned: Json, one: Built) -> None:
    where, role = GRANTS[one.without]
    assert asked(planned, one) == [(one.scopes[where], role)]


def test_an_access_policy_that_does_nothing_is_not_asked_for(planned: Json) -> None:
    assert asked(planned, INERT) == []


def test_the_documentations_way_one_short_is_told_what_it_lacks(planned: Json) -> None:
    assert asked(planned, ONE_SHORT) == [(ONE_SHORT.scopes["vault"], "Contributor")]
