"""Work that waits: what cannot be done goes to the poison queue, and holds up nothing else."""

import json
from collections import Counter

import pytest
from azure.storage.queue import BinaryBase64EncodePolicy, QueueClient
from event_grid import event
from local_azure import QUEUE, LocalAzure, Start
from tenants import ACR_PULL, Tenant, child, group_id, oid, system_assigned
from wire import Json

_TRIES = 5
_HIDDEN_SECONDS = 30  # host.json's visibilityTimeout


def _workspace(name: str) -> str:
    return child(group_id(f"rg-{name}"), "Microsoft.MachineLearningServices/workspaces", "mlw")


def _registry(name: str) -> str:
    return child(group_id(f"rg-{name}"), "Microsoft.ContainerRegistry/registries", f"acrml{name}")


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    tenant = Tenant()
    for name in ("good", "broken", "unqueued", "switched", "swept"):
        registry = tenant.registry(group_id(f"rg-{name}"), f"acrml{name}", admin=name == "unqueued")
        workspace = tenant.workspace(group_id(f"rg-{name}"), containerRegistry=registry["id"])
        tenant.compute(workspace, "cluster", identity=system_assigned(name))
    return start_azure(tenant.document(), "mode: enforce\n")


def _granted(azure: LocalAzure, name: str) -> bool:
    return (_registry(name).lower(), ACR_PULL) in azure.grants(oid(name), _registry(name))


def _put(azure: LocalAzure, *messages: bytes | str) -> None:
    """Bytes as the app encodes them; text as it is."""
    for message in messages:
        policy = BinaryBase64EncodePolicy() if isinstance(message, bytes) else None
        with QueueClient.from_connection_string(azure.ready["storage"], QUEUE, message_encode_policy=policy) as queue:
            queue.send_message(message)


def _reconcile(*workspaces: str) -> bytes:
    return json.dumps({"type": "reconcile", "workspaces": list(workspaces)}).encode()


_WITHOUT_QUEUE = {"AzureWebJobsStorage__queueServiceUri": "https://127.0.0.1:1/x"}


def test_poison_does_not_hold_up_other_work(azure: LocalAzure) -> None:
    azure.faults({"path": "/rg-broken/", "status": 403, "caller": azure.app})
    foreign: list[bytes | str] = [
        "not base64!",
        b"not JSON",
        b"[]",
        b'{"type": "format the disk"}',
        b'{"type": "reconcile", "workspaces": "all"}',
        _reconcile("/subscriptions/../.."),
    ]
    _put(azure, *foreign, _reconcile(_workspace("broken")), _reconcile(_workspace("broken"), _workspace("good")))
    azure.until(lambda: _granted(azure, "good"), "the good workspace is looked at")
    expected = len(foreign) + 2

    def poisoned() -> bool:
        azure.advance(_HIDDEN_SECONDS + 1)
        return len(azure.poisoned_work()) == expected

    azure.until(poisoned, "what cannot be done is given up")
    assert azure.waiting_work() == []
    assert not _granted(azure, "broken")

    told = azure.run("status", "--format", "json")
    assert told.code == 2, told.err
    kinds = Counter(one["kind"] for one in json.loads(told.out)["givenUp"])
    assert kinds == {"unknown": 5, "reconcile": 3}

    # And the queue goes on as if nothing had been.
    azure.faults()
    _put(azure, _reconcile(_workspace("broken")))
    azure.until(lambda: _granted(azure, "broken"), "the broken workspace is mended")


def test_a_sweep_in_which_one_workspace_fails_does_the_others(azure: LocalAzure) -> None:
    azure.faults({"path": "/rg-switched/", "status": 403, "caller": azure.app})
    azure.sweep()
    azure.until(lambda: _granted(azure, "swept"), "the others are done")
    azure.faults()
    assert not _granted(azure, "switched")

    def done() -> bool:
        azure.advance(_HIDDEN_SECONDS + 1)
        return _granted(azure, "switched")

    azure.until(done, "the failed one is tried again")


def test_without_a_queue_the_grant_is_made_and_the_event_is_not_done(azure: LocalAzure) -> None:
    """The switch-off must wait, and there is nowhere to remember it: Event Grid is to deliver again."""
    told: Json = event(_workspace("unqueued"))
    ran = azure.run("event", "-", stdin=json.dumps([told]), env=_WITHOUT_QUEUE)
    assert ran.code == 1
    assert "queue" in ran.err
    assert _granted(azure, "unqueued")
    outcomes = [row["Outcome"] for row in azure.rows(where=f"PrincipalId == '{oid('unqueued')}'")]
    assert sorted(outcomes) == ["Applied", "Planned"]

    azure.deliver(told)
    azure.advance(16 * 60)
    azure.until(lambda: not azure.admin_user(_registry("unqueued")), "the redelivered event leads to the switch")


def test_without_a_queue_the_admin_user_stays_on(start_own_azure: Start) -> None:
    """Nobody would remember to resync the keys. The grant that went before is on record all the same."""
    tenant = Tenant()
    group = group_id("rg-both")
    both = tenant.workspace(
        group,
        containerRegistry=tenant.registry(group, "acrmlboth", admin=True)["id"],
        storageAccount=tenant.storage(group, "stboth")["id"],
        systemDatastoresAuthMode="identity",
    )
    tenant.compute(both, "cluster", identity=system_assigned("both"))
    tenant.assign(_registry("both"), oid("both"), ACR_PULL)
    azure = start_own_azure(tenant.document(), "mode: enforce\n")
    ran = azure.run("event", "-", stdin=json.dumps([event(_workspace("both"))]), env=_WITHOUT_QUEUE)
    assert ran.code == 1
    rows = azure.rows(where=f"ResourceId startswith '{group_id('rg-both')}/'")
    outcomes = {row["Property"] or row["Scope"].rpartition("/")[2]: row["Outcome"] for row in rows[len(rows) // 2 :]}
    assert outcomes == {"stboth": "Applied", "adminUserEnabled": "Deferred", "cachedKeys": "Deferred"}
    assert azure.admin_user(_registry("both"))
    assert azure.deliver(event(_workspace("both"))).status_code == 202
    assert not azure.admin_user(_registry("both"))
