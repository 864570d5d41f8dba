"""Snapshots in pseudonyms: nothing of the tenant is left in them, and they say the same."""

import asyncio
import base64
import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import raw
from app import App
from catalogue.gathered import document, placed
from fakes import FakeAzure
from undisguised import KEY, differences, plain, pseudonyms, undisguised, words
from unit.build import (
    GROUP,
    MANAGEMENT_GROUP,
    NOW,
    REGISTRY,
    ROLES,
    STORAGE,
    VAULT,
    WORKSPACE,
    assigned,
    guid,
    sai,
    uai,
)

from handlers.cli.desk import Where, planned
from handlers.cli.explain import explained_by
from handlers.cli.from_snapshot import opened, played
from handlers.cli.report import posture_by
from handlers.cli.snapshot import taken_by
from handlers.cli.snapshot_key import ONE_KEY, key_of
from handlers.runtime import Runtime
from shared import policy
from shared.access.own_assignments import assignment_name
from shared.access.permissions import DenyAssignment, PermissionBlock, RoleAssignment, RoleDefinition
from shared.access.scope import Scope
from shared.ports import ReadFailedError
from shared.snapshot.disguise import Disguise
from shared.snapshot.disguised import Disguising
from shared.snapshot.kept import Keeping
from shared.snapshot.pseudonyms import Pseudonyms

CANARY = "zqcanary"
READ = ROLES["Storage Blob Data Reader"].role_id
OTHER = GROUP.child("providers", "Microsoft.MachineLearningServices", "workspaces", "mlw-other")
C0 = sai("mlw/computes/cpu0")
POLICY = {
    "mode": "enforce",
    "settle_minutes": 15,
    "trust": {"allow": [str(GROUP)]},
    "rules": {"AML-21": {"mode": "report"}},
    "exemptions": [
        {"rules": ["AML-21"], "until": "2027-01-31", "reason": f"{CANARY} moves in January", "scope": str(OTHER)},
        {"rules": ["AML-25"], "until": "2027-01-31", "reason": CANARY, "tag": {f"{CANARY}-team": f"{CANARY}-x"}},
    ],
    "people": [{"groups": [guid("people")], "role": "data_scientist", "tags": {f"{CANARY}-team": f"{CANARY}-x"}}],
}


def _disguise() -> Disguise:
    return Disguise(Pseudonyms(KEY), words())


def _tenant() -> FakeAzure:
    azure = FakeAzure(logged=True)
    azure.have(raw.storage(), raw.vault(), raw.registry(admin_user=True))
    workspace = raw.workspace(sai("mlw"))
    azure.have(workspace, raw.compute("cpu0", C0), raw.endpoint("serve", uai("one")))
    azure.resources[WORKSPACE]["tags"] = {f"{CANARY}-team": f"{CANARY}-x", "amlguard": "off"}
    azure.have(raw.workspace(sai("other"), on=OTHER, registry=REGISTRY))
    azure.groups = {guid("pullers"): {uai("one").id}}
    azure.assignments = [assigned(uai("one"), "AcrPull", REGISTRY)]
    return azure


def _services(azure: FakeAzure) -> Runtime:
    return replace(
        App(policy.convert(POLICY).terms(), azure).services, own_object_id=guid("me"), tenant_id=guid("tenant")
    )


def _taken(azure: FakeAzure, file: Path, key: bytes | None) -> Path:
    made = asyncio.run(taken_by(_services(azure), Where(), POLICY, key))
    file.write_text(made.text(), encoding="utf-8")
    return file


def _names(document: Any) -> Iterator[str]:
    """Of whatever has an id, and the GUIDs."""
    text = json.dumps(document)
    for one in re.findall(r'"(/[^"]+)"', text):
        for name in one.split("/")[2::2]:
            if name.casefold() not in words().whole:
                yield name
    for one in re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text):
        if one not in words().guids:
            yield one


def _left(document: Any, disguised: str) -> set[str]:
    tokens = set(re.findall(r"[\w-]+", disguised.casefold()))
    return {name for name in _names(document) if name.casefold() in tokens}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder, azure = tmp_path_factory.mktemp("pseudonyms"), _tenant()
    return _taken(azure, folder / "names.json", None), _taken(azure, folder / "disguised.json", KEY)


def test_no_name_id_or_text_is_left(files: tuple[Path, Path]) -> None:
    names, disguised = (file.read_text(encoding="utf-8") for file in files)
    assert CANARY in names, "it could be there"
    assert CANARY not in disguised
    assert _left(json.loads(names), names), "the search finds names"
    assert _left(json.loads(names), disguised) == set()


def test_plan_report_and_explanations_are_the_same_but_for_the_names(files: tuple[Path, Path]) -> None:
    made = pseudonyms(json.loads(files[0].read_text(encoding="utf-8")))
    live, then = (opened(played(file), None) for file in files)

    def told(services: Runtime) -> tuple[Any, Any]:
        where = Where(fresh=True)
        posture = json.loads(asyncio.run(posture_by(where, services, None)).json())
        return asyncio.run(planned(where, services)).document(), posture

    for one, other in zip(told(live), told(then), strict=True):
        assert one["grants"]
        assert differences(plain(one), undisguised(other, made)) == []
    for resource in (WORKSPACE, REGISTRY, uai("one").resource):
        assert resource
        hidden = Disguise(made, words()).scope(resource)
        one = asyncio.run(explained_by(resource, live)).document()
        other = asyncio.run(explained_by(hidden, then)).document()
        assert differences(plain(one), undisguised(other, made)) == []


def _above() -> FakeAzure:
    """With all that is said of names elsewhere: management groups, custom roles, denies, conditions, locks."""
    azure = _tenant()
    azure.have(raw.vault(rbac=False))
    azure.resources[VAULT]["properties"]["accessPolicies"] = [
        {"objectId": uai("one").id.upper(), "tenantId": guid("tenant"), "permissions": {"secrets": ["get"], "keys": []}}
    ]
    azure.resources[STORAGE]["properties"]["networkAcls"] = {
        "defaultAction": "Deny",
        "ipRules": [{"value": "20.30.40.0/24", "action": "Allow"}],
    }
    role = RoleDefinition(
        guid("custom"), f"{CANARY} pullers", (PermissionBlock(("Microsoft.ContainerRegistry/*/read",)),)
    )
    azure.roles[role.role_id] = role
    pull, ours = ROLES["AcrPull"].role_id, assignment_name(STORAGE, uai("one").id, READ)
    azure.assignments = [
        RoleAssignment(
            f"{MANAGEMENT_GROUP}/providers/Microsoft.Authorization/roleAssignments/{guid('a')}",
            MANAGEMENT_GROUP,
            guid("pullers"),
            pull,
        ),
        RoleAssignment(
            f"{REGISTRY}/providers/Microsoft.Authorization/roleAssignments/{guid('b')}", REGISTRY, C0.id, role.role_id
        ),
        RoleAssignment(
            f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/{guid('c')}",
            GROUP,
            C0.id,
            pull,
            f"((@Resource[Microsoft.ContainerRegistry/registries/repositories:name] StringEquals '{CANARY}'))",
        ),
        RoleAssignment(
            f"{STORAGE}/providers/Microsoft.Authorization/roleAssignments/{ours}",
            STORAGE,
            uai("one").id,
            READ,
            None,
            NOW,
            f"amlguard: compute-reads-blobs (AML-10), run {guid('run')}, for {WORKSPACE}, as {uai('one').resource}",
        ),
    ]
    block = PermissionBlock(("Microsoft.ContainerRegistry/registries/pull/read",))
    azure.denies = [
        DenyAssignment(
            f"{GROUP}/providers/Microsoft.Authorization/denyAssignments/{guid('d')}",
            f"{CANARY} no",
            GROUP,
            (block,),
            frozenset({C0.id}),
        )
    ]
    azure.locks = [
        {
            "id": f"{REGISTRY}/providers/Microsoft.Authorization/locks/{CANARY}",
            "name": CANARY,
            "properties": {"level": "ReadOnly", "notes": CANARY},
        }
    ]
    return azure


def test_what_lies_above_and_beside_is_the_same_too(tmp_path: Path) -> None:
    azure = _above()
    names, disguised = _taken(azure, tmp_path / "a.json", None), _taken(azure, tmp_path / "b.json", KEY)
    document, text = json.loads(names.read_text(encoding="utf-8")), disguised.read_text(encoding="utf-8")
    made = pseudonyms(document)
    live, then = (
        asyncio.run(planned(Where(fresh=True), opened(played(one), None))).document() for one in (names, disguised)
    )
    assert differences(plain(live), undisguised(then, made)) == []
    assert CANARY not in text
    assert "20.30.40.0" not in text
    assert _left(document, text) == set()
    ours = [
        one
        for one in json.loads(text)["roleAssignments"]
        if str(one["properties"].get("description")).startswith("aml")
    ]
    assert ours
    for one in ours:
        body = one["properties"]
        assert one["name"] == assignment_name(Scope.parse(body["scope"]), body["principalId"], READ)
    (group,) = json.loads(text)["managementGroups"]
    assert group["name"] != MANAGEMENT_GROUP.name


def test_what_could_not_be_read_is_unknown_in_pseudonyms_too(tmp_path: Path) -> None:
    azure = _tenant()
    azure.unreadable = {"computes"}
    names, disguised = _taken(azure, tmp_path / "a.json", None), _taken(azure, tmp_path / "b.json", KEY)
    made = pseudonyms(json.loads(names.read_text(encoding="utf-8")))
    live, then = (
        asyncio.run(planned(Where(fresh=True), opened(played(one), None))).document() for one in (names, disguised)
    )
    assert live["unknown"]
    assert differences(plain(live), undisguised(then, made)) == []


def test_nobody_can_tell_the_names_again_and_each_time_they_are_others(tmp_path: Path) -> None:
    azure = _tenant()
    first, second = (_taken(azure, tmp_path / f"{n}.json", key_of(ONE_KEY)).read_text() for n in (1, 2))
    assert _left(json.loads(first), second) == set()
    with_key = [_taken(azure, tmp_path / f"{n}.json", KEY).read_bytes() for n in (3, 4)]
    assert with_key[0] == with_key[1]


FORMS: dict[str, Callable[[str], str]] = {
    "alone": lambda one: one,
    "in capitals": str.upper,
    "in a sentence": lambda one: f"the workspace of {one}, and its registry",
    "a host": lambda one: f"https://{one}.blob.core.windows.net/{one}/x?sv=1&sig={one}",
    "a host of no zone": lambda one: f"privatelink.{one}.azurecr.io",
    "an image": lambda one: f"{one}.azurecr.io/{one}/train:{one}",
    "an id": lambda one: f"/subscriptions/{guid('s')}/resourceGroups/{one}/providers/Microsoft.Storage/{one}/{one}",
    "half an id": lambda one: f"/subscriptions/{one}//providers/{one}",
    "an id in a sentence": lambda one: f"see /subscriptions/{guid('s')}/resourceGroups/{one}.",
    "an address": lambda one: f"{one}@contoso.example",
    "an asset": lambda one: f"azureml://registries/{one}/environments/{one}/versions/1",
    "our own mark": lambda one: f"amlguard: {one} (AML-01), run {guid('r')}, for /subscriptions/{guid('s')}",
    "JSON": lambda one: json.dumps({one: [one, {"name": one}]}),
    "a condition": lambda one: f"((!(ActionMatches{{'{one}/read'}})) OR (@Resource[x:name] StringEquals '{one}'))",
    "an action": lambda one: f"Microsoft.Storage/{one}/*/read",
    "a pattern": lambda one: f"*{one}*",
    "a list": lambda one: f"SystemAssigned, {one}",
    "with signs": lambda one: f"--{one}_{one}--",
    "of two words": lambda one: f"storage-{one}",
    "containers": lambda one: f"COMPOSE|{base64.b64encode(f'image: {one}.azurecr.io/x'.encode()).decode()}",
    "a parameter": lambda one: f"[parameters('{one}')]",
    "a time that is none": lambda one: f"2026-11-29T{one}",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_canary_in_any_place_is_gone(objects: list[dict[str, Any]], form: str) -> None:
    """In all values and keys at once, of each kind of object that a rule reads."""
    made, disguise = FORMS[form](CANARY), _disguise()
    seen = 0
    for one in objects:
        planted = _planted(one, made)
        seen += json.dumps(made) in json.dumps(planted)
        kept = json.dumps(disguise.of(Keeping().of(planted)), ensure_ascii=False)
        assert CANARY not in kept.casefold(), kept[max(0, kept.casefold().index(CANARY) - 200) :][:300]
        assert CANARY not in base64_told(kept)
    assert seen > 100


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    """All that the catalogue's tenant has, one of each shape."""
    cases = [one for one in placed() if one.case.acts and not one.case.event]
    told = document(one.case.build(one.place) for one in cases)
    found = [
        each for part in ("resources", "roleAssignments", "denyAssignments", "locks") for each in told.get(part, ())
    ]
    return list({_shape(one): one for one in found}.values())


def _shape(one: Any) -> str:
    if isinstance(one, dict):
        return f"{{{','.join(f'{key}:{_shape(value)}' for key, value in one.items())}}}"
    return f"[{','.join(sorted(set(map(_shape, one))))}]" if isinstance(one, list) else ""


def _planted(one: Any, made: str) -> Any:
    match one:
        case dict():
            return {f"{key}": _planted(value, made) for key, value in one.items()} | {made: made}
        case list():
            return [*(_planted(value, made) for value in one), made]
        case str():
            return made
    return one


def base64_told(text: str) -> str:
    found = re.findall(r"\|([A-Za-z0-9+/=]{8,})", text)
    return "".join(base64.b64decode(one).decode(errors="replace") for one in found)


@pytest.mark.parametrize("place", ["operation", "code", "reason"])
def test_what_azure_refused_names_nobody(place: str) -> None:
    said = {
        "operation": "list computes of x",
        "code": "AuthorizationFailed",
        "reason": "The client has no authorization",
    }
    hidden = Disguising(_disguise(), Keeping())
    for form in FORMS.values():

        async def refused(form: Callable[[str], str] = form) -> None:
            told = said | {place: form(CANARY)}
            raise ReadFailedError(told["operation"], told["code"], told["reason"], forbidden=True)

        with pytest.raises(ReadFailedError) as raised:
            asyncio.run(hidden.told(refused()))
        assert CANARY not in str(raised.value).casefold()
        assert raised.value.forbidden
    assert hidden.disguise.of(said["reason"], prose=True) == said["reason"]


def test_a_name_is_the_same_wherever_it_stands() -> None:
    disguise = _disguise()
    scope = Scope.parse(f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/Premium")
    told = disguise.of(
        {
            "id": str(scope),
            "name": "Premium",
            "sku": {"name": "premium"},
            "properties": {
                "loginServer": "premium.azurecr.io",
                "image": "PREMIUM.azurecr.io/a/b:1",
                "registry": "premium",
                "vaultUri": "https://premium.vault.azure.net/keys/premium/1",
                "docker": "docker://premium.azurecr.io/a/premium:1",
            },
        }
    )
    name = disguise.scope(scope).name
    assert told["name"] == name
    assert told["sku"] == {"name": "premium"}
    body = told["properties"]
    assert body["loginServer"].casefold() == f"{name}.azurecr.io".casefold()
    assert body["image"].casefold().startswith(f"{name}.azurecr.io/".casefold())
    assert body["registry"].casefold() == name.casefold()
    assert body["vaultUri"].casefold() == f"https://{name}.vault.azure.net/keys/{name}/1".casefold()
    assert f"://{name}.azurecr.io/".casefold() in body["docker"].casefold()


@pytest.mark.parametrize("name", ["20241", "90210-2", "2024-05-01", "12.34567.8"])
def test_a_name_that_is_a_number_is_a_name_wherever_it_stands(name: str) -> None:
    disguise = _disguise()
    body = {
        "id": str(GROUP.child("providers", "Microsoft.Storage", "storageAccounts", name)),
        "a": name,
        "b": f"x {name}",
    }
    disguise.of(body)
    assert name not in json.dumps(disguise.of(body))
    assert disguise.of(body)["a"] == disguise.pseudonyms.of(name)
    assert _disguise().of({"a": name}) == {"a": name}, "a number of nothing stays"


@pytest.mark.parametrize("form", ["{}", "{}-{}", "{},{}", "https://{}/x", "tcp:{}:443", "allow {} and {}-{}"])
def test_an_address_is_gone_wherever_it_stands(form: str) -> None:
    told = _disguise().of({"any": form.replace("{}", "20.30.40.50")})["any"]
    assert "30.40" not in told
    assert "40.50" not in told


def test_names_that_hold_each_other_stay_apart() -> None:
    made = [
        _disguise().pseudonyms.of(one) for one in ("ml", "ml-prod", "ml-prod-2", "prod", "mlprod", "straße", "strasse")
    ]
    assert len(set(made)) == len(made)
    assert not any(one in other for one in made for other in made if one != other)


@pytest.mark.parametrize(
    "name", ["a b", "o'neil", "ends.", "-x", "_x", "a_b", "grüppe", "a" * 40, "a(b)", "UPPER", "a/b"]
)
def test_the_shape_of_a_name_stays(name: str) -> None:
    made = _disguise().pseudonyms.of(name)
    signs = {one for one in name if not one.isalnum()}
    assert {one for one in made if not one.isalnum()} == signs
    assert made.isascii() == name.isascii()
    assert made[0].isalnum() == name[0].isalnum()
    assert made[-1].isalnum() == name[-1].isalnum()
    assert (len(made) > 24) == (len(name) > 24)
    assert any(map(str.isupper, made)) == any(map(str.isupper, name))


def test_what_follows_from_ids_follows_from_their_pseudonyms() -> None:
    disguise, role = _disguise(), "7f951dda-4ed3-4680-a7ca-43fe172d538d"
    name = assignment_name(REGISTRY, C0.id, role)
    said = {
        "id": str(REGISTRY.child("providers", "Microsoft.Authorization", "roleAssignments", name)),
        "name": name,
        "properties": {
            "scope": str(REGISTRY),
            "principalId": C0.id,
            "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role}",
        },
    }
    disguise.learn(said)
    told = disguise.of(said)
    body = told["properties"]
    assert told["name"] == assignment_name(Scope.parse(body["scope"]), body["principalId"], role)
    assert told["id"].endswith(told["name"])
    assert body["roleDefinitionId"].endswith(role), "everybody has that role"
    assert body["principalId"] != C0.id


def test_azures_own_ids_stay() -> None:
    disguise = _disguise()
    aml, everyone = "0736f41a-0425-4b46-bdb5-1563eff02385", "00000000-0000-0000-0000-000000000000"
    built_in = f"/providers/Microsoft.Authorization/policyDefinitions/{guid('built in')}"
    custom = f"{GROUP.subscription}/providers/Microsoft.Authorization/policyDefinitions/{guid('custom')}"
    assert disguise.of([everyone, built_in, aml]) == [everyone, built_in, aml]
    assert guid("custom") not in disguise.of(custom)


def test_networks_stay_within_each_other() -> None:
    of = _disguise().pseudonyms.network
    nested = [
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.2.0/24",
        "10.1.2.3",
        "192.168.7.0/24",
        "20.50.60.0/24",
        "20.50.60.7",
        "fd00:1::/32",
    ]
    made = {one: ipaddress.ip_network(of(one) or "") for one in nested}
    for one in nested:
        assert made[one].is_private == ipaddress.ip_network(one).is_private
        assert made[one].prefixlen == ipaddress.ip_network(one).prefixlen
        for other in nested:
            inside = ipaddress.ip_network(one)
            outside = ipaddress.ip_network(other)
            if inside.version == outside.version:
                assert made[one].subnet_of(made[other]) == inside.subnet_of(outside)  # type: ignore[arg-type]  # one version
    assert of("10.1.2.3") != "10.1.2.3"
    assert of("0.0.0.0/0") == "0.0.0.0/0"
    assert of("next week") is None


def test_times_and_words_stay() -> None:
    said = {
        "type": "SystemAssigned,UserAssigned",
        "createdOn": datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
        "destinationAddressPrefix": "Storage.westeurope",
        "port": "1024-65535",
        "timeout": "PT15M",
        "effect": "[parameters('effect')]",
    }
    assert _disguise().of(said) == said
