"""Nothing of an event but the caller's object id, and no secret of any ARM body, ever comes out again.

Canaries stand in every field of events and resources that may hold a name, an address, a token or a secret; whatever
amlguard writes anywhere is searched for them: audit tables, logs, queue, blobs, and what its commands print.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient
from event_grid import cloud_event, event
from local_azure import FINDINGS, LocalAzure, Start
from tenants import Tenant, group_id, oid, system_assigned, user_assigned
from wire import Json

CANARY = "canary9f3c"
GROUP = group_id("rg-canary")
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/mlw"
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/acrcanary"
CALLER = oid("the caller")


def _tenant() -> Tenant:
    """A workspace whose children keep secrets, and which needs grants, a switch-off and attention."""
    tenant = Tenant()
    registry = tenant.registry(GROUP, "acrcanary", admin=True)
    registry["properties"]["passwords"] = [{"name": "password", "value": f"{CANARY}-registry-password"}]
    account = tenant.storage(GROUP, "stcanary")
    account["properties"]["keys"] = [{"keyName": "key1", "value": f"{CANARY}-storage-key"}]
    workspace = tenant.workspace(GROUP, containerRegistry=registry["id"], storageAccount=account["id"])
    workspace["tags"] = {"owner": f"{CANARY}-owner"}
    workspace["properties"]["description"] = f"{CANARY}-description"
    workspace["systemData"] |= {"createdBy": f"{CANARY}@contoso.example", "lastModifiedBy": f"{CANARY}@contoso.example"}
    cluster = tenant.compute(workspace, "cluster", identity=system_assigned("cluster"))
    cluster["properties"]["properties"] |= {
        "userAccountCredentials": {"adminUserName": CANARY, "adminUserPassword": f"{CANARY}-ssh-password"}
    }
    tenant.compute(workspace, "stranger", identity=user_assigned(tenant.uai(group_id("rg-strange"), "stranger")))
    endpoint = tenant.endpoint(workspace, "scorer", user_assigned(tenant.uai(GROUP, "scorer")))
    endpoint["properties"] |= {
        "authMode": "Key",
        "keys": {"primaryKey": f"{CANARY}-endpoint-key", "secondaryKey": f"{CANARY}-endpoint-key"},
        "scoringUri": f"https://scorer.example/score?code={CANARY}",
        "description": CANARY,
    }
    for number, secrets in enumerate(_DATASTORE_SECRETS):
        _child(tenant, "datastores", f"store{number}", {**_DATASTORE, "credentials": secrets})
    for number, body in enumerate(_CONNECTIONS):
        _child(tenant, "connections", f"link{number}", body)
    return tenant


_DATASTORE = {"datastoreType": "AzureBlob", "accountName": "stother", "containerName": "data", "description": CANARY}
_DATASTORE_SECRETS: tuple[Json, ...] = (
    {"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey", "key": f"{CANARY}-account-key"}},
    {"credentialsType": "Sas", "secrets": {"secretsType": "Sas", "sasToken": f"sig={CANARY}"}},
    {"credentialsType": "ServicePrincipal", "clientId": oid("sp"), "secrets": {"clientSecret": f"{CANARY}-secret"}},
    {"credentialsType": "None", "secrets": {"key": f"{CANARY}-left-behind"}},
)
_CONNECTIONS: tuple[Json, ...] = (
    {
        "category": "ContainerRegistry",
        "authType": "UsernamePassword",
        "target": f"https://{CANARY}:{CANARY}-password@elsewhere.azurecr.io/?sig={CANARY}",
        "credentials": {"username": "acrcanary", "password": f"{CANARY}-password"},
        "metadata": {"note": CANARY},
    },
    {
        "category": "ContainerRegistry",
        "authType": "ManagedIdentity",
        "target": f"https://{CANARY}:{CANARY}@nowhere.azurecr.io?sig={CANARY}",
        "credentials": {"clientId": CANARY, "secret": f"{CANARY}-secret"},
    },
    {
        "category": "ACR",
        "authType": "RegistryConnection",
        "target": f"x?sig={CANARY}",
        "value": f'{{"pw": "{CANARY}"}}',
    },
    {"category": "ApiKey", "authType": "ApiKey", "target": "https://x.example", "credentials": {"key": CANARY}},
)


def _child(tenant: Tenant, kind: str, name: str, properties: Json) -> None:
    scope = f"{WORKSPACE}/{kind}/{name}"
    kind = f"Microsoft.MachineLearningServices/workspaces/{kind}"
    tenant.add({"id": scope, "name": name, "type": kind, "properties": properties})


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    """After every canary was delivered, a sweep, and time for what had to wait."""
    azure = start_azure(_tenant().document(), "mode: enforce\nsettle_minutes: 0\n")
    for one in _events():
        azure.deliver(one)
    for body in (f"<html>{CANARY}</html>".encode(), f'[{{"subject": "{CANARY}"'.encode()):
        azure.deliver(raw=body)
    azure.sweep_all([WORKSPACE])
    azure.advance(3600)
    azure.sweep_all([WORKSPACE])
    return azure


def _events() -> Iterator[Any]:
    for made in (event, cloud_event):
        whole = made(WORKSPACE, caller=CALLER, correlation=oid("correlation"))
        yield _filled(whole)
        # A time that is none Microsoft's library refuses before the app sees it, and logs what it was.
        for key in whole.keys() - {"time", "eventTime"}:
            yield {**whole, key: CANARY}
            yield {**whole, key: {CANARY: CANARY}}
        for key in whole["data"]:
            yield {**whole, "data": {**whole["data"], key: {CANARY: [CANARY]}}}
            yield {**whole, "subject": CANARY, "data": {**whole["data"], "resourceUri": None, key: CANARY}}
        for resource in (f"{WORKSPACE}/{CANARY}", f"/{CANARY}", f"{WORKSPACE}?{CANARY}", f"{GROUP}/{CANARY}/x"):
            yield {**whole, "subject": resource, "data": {**whole["data"], "resourceUri": resource}}


def _filled(whole: Json) -> Json:
    """A good event with a canary in everything about the person, and in fields that nobody knows."""
    claims = dict.fromkeys((*whole["data"]["claims"], "upn", "email", "unique_name", "xms_tcdt", "token"), CANARY)
    claims["http://schemas.microsoft.com/identity/claims/objectidentifier"] = CALLER
    request = {"clientIpAddress": CANARY, "headers": {"Authorization": f"Bearer {CANARY}"}, "url": f"/x?sig={CANARY}"}
    evidence = {
        "role": CANARY,
        "principalId": CALLER.replace("-", ""),
        "principalType": CANARY,
        "roleAssignmentId": CANARY,
    }
    data = {
        **whole["data"],
        "claims": claims,
        "httpRequest": request,
        "authorization": {"scope": CANARY, "action": CANARY, "evidence": evidence},
        "identity": {"name": CANARY},
        "properties": {"responseBody": CANARY, "requestBody": CANARY},
        "operationName": CANARY,
        "status": CANARY,
        "tenantId": CANARY,
        CANARY: CANARY,
    }
    return {**whole, "data": data, CANARY: CANARY, "extension": CANARY}


def _says(what: object) -> list[str]:
    """The lines with a canary in them."""
    text = what if isinstance(what, str) else json.dumps(what, default=str, indent=0)
    return [line for line in text.splitlines() if CANARY in line.casefold()]


def test_the_events_did_something_and_the_caller_is_on_record(azure: LocalAzure) -> None:
    rows = azure.rows(where="Outcome == 'Applied'")
    assert rows
    assert {row["CallerObjectId"] for row in rows} & {CALLER}
    assert azure.rows(FINDINGS, "RuleId == 'malformed-event'")


def test_nothing_in_the_audit_tables(azure: LocalAzure) -> None:
    assert _says(azure.rows()) == []
    assert _says(azure.rows(FINDINGS)) == []


def test_nothing_in_the_logs_of_the_app_and_its_host(azure: LocalAzure) -> None:
    said = (azure.folder / "stderr").read_text(encoding="utf-8")
    assert "run " in said, "the app logs here"
    assert _says(said) == []


def test_nothing_on_the_queues_and_in_the_blobs(azure: LocalAzure) -> None:
    connection = azure.ready["storage"]
    kept: list[str] = []
    with QueueServiceClient.from_connection_string(connection) as queues:
        for queue in queues.list_queues():
            with queues.get_queue_client(queue) as one:
                kept += [str(message.content) for message in one.peek_messages(32)]
    with BlobServiceClient.from_connection_string(connection) as blobs:
        for container in blobs.list_containers():
            with blobs.get_container_client(container) as one:
                kept += list(one.list_blob_names())
                kept += [one.download_blob(name).readall().decode("utf-8", "replace") for name in one.list_blob_names()]
    assert _says("\n".join(kept)) == []


def test_nothing_in_descriptions_of_role_assignments(azure: LocalAzure) -> None:
    listed = azure.get(f"{GROUP}/providers/Microsoft.Authorization/roleAssignments")
    assert "amlguard" in json.dumps(listed)
    assert _says(listed) == []


@pytest.mark.parametrize("form", ["text", "json", "html", "sarif"])
def test_nothing_in_what_plan_prints(azure: LocalAzure, form: str) -> None:
    ran = azure.run("plan", "--format", form)
    assert ran.code == 2, ran.err
    assert "link1" in ran.out, "what keeps a secret is named all the same"
    assert _says(ran.out + ran.err) == []


def test_nothing_in_what_the_other_commands_print(azure: LocalAzure, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(f'{{"subject": "{CANARY}', encoding="utf-8")
    commands = (
        ("explain", WORKSPACE),
        ("explain", REGISTRY, "--format", "json"),
        ("apply", "--yes", "--format", "json"),
        ("event", "-"),
        ("event", str(bad)),
    )
    for command in commands:
        ran = azure.run(*command, stdin=json.dumps(list(_events())[:1]))
        assert _says(ran.out + ran.err) == [], command


def test_nothing_in_a_snapshot(azure: LocalAzure, tmp_path: Path) -> None:
    file = tmp_path / "tenant.json"
    ran = azure.run("snapshot", "--out", str(file))
    assert ran.code == 0, ran.err
    kept = file.read_text(encoding="utf-8")
    assert "link1" in kept, "what keeps a secret is there all the same"
    assert _says(ran.out + ran.err + kept) == []


def test_the_search_finds_what_is_there(azure: LocalAzure) -> None:
    """Or all of the above could not fail."""
    assert _says(azure.get(WORKSPACE))
    assert _says(azure.get(f"{WORKSPACE}/connections/link1"))
    assert _says(azure.get(f"{WORKSPACE}/datastores/store0"))
