"""A new version on an installation whose own role still has the old condition (docs/deploy.md, Upgrading).

Whoever had turned AML-08 on has the rights of builders (AML-83) with it since; the old condition does not name them.
"""

from event_grid import event
from local_azure import LocalAzure, Start
from tenants import (
    ACR_PUSH,
    CONTRIBUTOR,
    GRANTS_ONLY,
    REPOSITORY_READER,
    REPOSITORY_WRITER,
    Tenant,
    group_id,
    oid,
    system_assigned,
    user_assigned,
)
from wire import Json

GROUP = group_id("rg-between")
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/workspace"
TASKS_CONTRIBUTOR = "fb382eab-e894-4461-af04-94435c366c3f"
NEW_ROLES = (ACR_PUSH, REPOSITORY_WRITER, TASKS_CONTRIBUTOR)
POLICY = "mode: enforce\nsettle_minutes: 0\n" + GRANTS_ONLY.replace("rules: {", "rules: {AML-08: {enabled: true}, ")


def _tenant() -> tuple[Tenant, str, str]:
    """A workspace that acts as a user-assigned identity, on an ABAC registry whose admin user is on."""
    tenant = Tenant()
    identity = tenant.uai(GROUP, "workspace")
    registry = tenant.registry(GROUP, "acrbetween", admin=True, abac=True)
    workspace = tenant.workspace(
        GROUP,
        identity=user_assigned(identity),
        primaryUserAssignedIdentity=identity["id"],
        containerRegistry=registry["id"],
        storageAccount=tenant.storage(GROUP, "stbetween")["id"],
    )
    tenant.compute(workspace, "cluster", identity=system_assigned("cluster"))
    return tenant, workspace["id"], registry["id"]


def _own_role(azure: LocalAzure) -> Json:
    """The one assignment of the app's with which it can assign roles."""
    scope = GROUP.partition("/resourceGroups")[0]
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments?$filter=principalId eq '{azure.app}'"
    (found,) = [one for one in azure.get(path)["value"] if one["properties"].get("condition")]
    assert isinstance(found, dict)
    return found


def _with_condition(azure: LocalAzure, own: Json, condition: str) -> None:
    azure.put(own["id"], {"properties": {**own["properties"], "condition": condition}})


def _without(condition: str, roles: tuple[str, ...]) -> str:
    for role in roles:
        assert role in condition
        condition = condition.replace(f"{role}, ", "").replace(f", {role}", "")
    return condition


def test_until_the_condition_is_renewed_new_roles_fail_alone_and_the_admin_user_stays_on(
    start_own_azure: Start,
) -> None:
    tenant, workspace, registry = _tenant()
    azure = start_own_azure(tenant.document(), POLICY)
    own = _own_role(azure)
    new = own["properties"]["condition"]
    _with_condition(azure, own, _without(new, NEW_ROLES))

    for _ in range(2):  # a second look finds the same, and waits for nothing that cannot come
        assert azure.deliver(event(workspace)).ok
        azure.until_quiet()
    failed = azure.rows(where="Outcome == 'Failed'")
    assert {row["RoleDefinitionId"][-36:] for row in failed} == {REPOSITORY_WRITER}
    assert all("deploy infra/ after `make docs`" in row["Reason"] for row in failed)
    held = {role for _, role in azure.grants(oid(IDENTITY), registry)}
    assert CONTRIBUTOR in held
    assert REPOSITORY_WRITER not in held
    assert (registry.lower(), REPOSITORY_READER) in azure.grants(oid("cluster"), registry)
    assert azure.admin_user(registry)

    _with_condition(azure, own, new)
    assert azure.deliver(event(workspace)).ok
    azure.until(lambda: not azure.admin_user(registry), "the admin user goes off once all is granted")
    assert (registry.lower(), REPOSITORY_WRITER) in azure.grants(oid(IDENTITY), registry)


def test_a_plan_shows_the_new_grant_and_why_the_admin_user_stays_on(start_own_azure: Start) -> None:
    """Of the app's own condition a desk knows nothing: the plan is the same before and after."""
    tenant, workspace, registry = _tenant()
    azure = start_own_azure(tenant.document(), POLICY, functions=False)
    own = _own_role(azure)
    _with_condition(azure, own, _without(own["properties"]["condition"], NEW_ROLES))
    plan = azure.run("plan", "--scope", workspace, "--policy", str(azure.folder / "policy.yaml"), "--format", "json")
    assert plan.code == 2, plan.err
    assert (REPOSITORY_WRITER, registry.lower()) in {
        (one["roleDefinitionId"][-36:], one["scope"].lower()) for one in plan.document["grants"]
    }
    assert plan.document["settings"] == []
    waiting = [*plan.document["deferred"], *plan.document["withheld"]]
    assert [one["action"]["property"] for one in waiting if "property" in one["action"]] == ["adminUserEnabled"]
