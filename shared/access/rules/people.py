"""People: the groups that the policy wants on workspaces, whether anybody can score at all, and custom roles."""

from collections.abc import Iterator, Sequence

from shared.access.asks import Ask, Found, RequiredGrant, Severity
from shared.access.model import Estate, Principal, Raw, Want, Workspace
from shared.access.needs import SCORE_AND_MANAGE, WRITE_ROLES, Need
from shared.access.permissions import Permission, PermissionBlock, includes
from shared.access.preferences import People
from shared.access.raw import get, object_id, rows, scope_or_none, tags, text
from shared.access.rules.az import az, code, subscription, to_users
from shared.access.rules.endpoints import token_only
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_DOCS = "learn.microsoft.com/azure/machine-learning/"
_ROLES = _DOCS + "how-to-assign-roles"
_WORKSPACES = ("Microsoft.MachineLearningServices/workspaces",)
_ENDPOINTS = ("Microsoft.MachineLearningServices/workspaces/onlineEndpoints",)
_ASSIGNED = "Microsoft.Authorization/roleAssignments?$filter=atScope()"
_CUSTOM = "Microsoft.Authorization/roleDefinitions?$filter=type%20eq%20'CustomRole'"
_AML = "microsoft.machinelearningservices/workspaces/"
_SCORE = Permission("Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action")
_KEYS = tuple(
    Permission(f"Microsoft.MachineLearningServices/workspaces/onlineEndpoints/{what}/action")
    for what in ("listKeys", "regenerateKeys")
)
# Built-in roles with which a person can score. The definitions of custom roles are read.
_SCORERS = frozenset(
    (
        "f6c7c914-8db3-469d-8ca1-694a8f32e121",  # AzureML Data Scientist
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",  # Owner
        "b24988ac-6180-42a0-ab88-20f7382dd24c",  # Contributor
        "b78c5d69-af96-48a3-bf8d-a8b4d589de94",  # Azure AI Administrator
        "64702f94-c441-49e6-a78b-ef80e0188fee",  # Azure AI Developer
    )
)


def _groups(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    for people in estate.people:
        if meant(people, workspace):
            need = _need(people)
            for one in people.groups:
                principal = Principal(one, f"group {one}", type="Group")
                reason = f"the policy wants group {one} to be {need.role_name} on {workspace.id.name}"
                yield RequiredGrant(principal, need, workspace.id, workspace.id, ("AML-44",), reason)


def meant(people: People, workspace: Workspace) -> bool:
    carried = tags(workspace.raw)
    inside = not people.scopes or any(scope.contains(workspace.id) for scope in people.scopes)
    named = bool(people.scopes or people.tags)
    return named and inside and all(carried.get(name.casefold()) == value for name, value in people.tags)


def _need(people: People) -> Need:
    """What another role gives is not known here, so it is held only if it is assigned."""
    if people.role_id == SCORE_AND_MANAGE.role_id:
        return SCORE_AND_MANAGE
    return Need(f"hold role {people.role_id}", (), people.role_id, people.role_name, broad=True)


def _with_tokens(workspace: Workspace) -> list[Scope]:
    return [endpoint.id for endpoint in workspace.endpoints if token_only(endpoint)]


def _score_wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    if _with_tokens(workspace):
        yield Want(workspace.id, _ASSIGNED)
        yield from _role_wants(workspace, _)


def _nobody_scores(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    wants = tuple(_score_wants(workspace, estate))
    yield from unreadable(wants, estate)
    endpoints = _with_tokens(workspace)
    if not endpoints or any(want not in estate.facts or estate.unreadable(want) for want in wants):
        return
    scorers = _SCORERS | {_guid(role.get("id")) for role in _custom(workspace, estate) if _allows(role, _SCORE)}
    if not any(_is_scorer(one, scorers) for one in estate.listed(workspace.id, _ASSIGNED)):
        names = ", ".join(scope.name for scope in endpoints)
        yield Found(
            workspace.id,
            f"No user and no group holds a role on workspace {workspace.id.name} with which it could score, and its "
            f"endpoints take only tokens: {names}.",
            {"workspace": workspace.id, "grants": code(to_users(SCORE_AND_MANAGE.role_name, workspace.id))},
        )


def _is_scorer(assignment: Raw, roles: frozenset[str]) -> bool:
    kind = (text(assignment, "properties", "principalType") or "user").casefold()
    return kind in ("user", "group") and _guid(get(assignment, "properties", "roleDefinitionId")) in roles


def _role_wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    """Without an online endpoint, no role can be too broad for one."""
    if workspace.endpoints and workspace.id.subscription:
        yield Want(workspace.id.subscription, _CUSTOM)


def _custom(workspace: Workspace, estate: Estate) -> Sequence[Raw]:
    home = workspace.id.subscription
    return estate.listed(home, _CUSTOM) if home and workspace.endpoints else ()


def _blocks(role: Raw) -> list[PermissionBlock]:
    return [
        PermissionBlock(tuple(map(str, rows(one, "actions"))), tuple(map(str, rows(one, "notActions"))))
        for one in rows(role, "properties", "permissions")
    ]


def _allows(role: Raw, permission: Permission) -> bool:
    return any(block.allows(permission) for block in _blocks(role))


def _too_broad(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_role_wants(workspace, estate), estate)
    for role in _custom(workspace, estate):
        patterns = sorted({pattern for block in _blocks(role) for pattern in _reaching_keys(block)})
        scope = scope_or_none(role.get("id"))
        if patterns and scope:
            name = text(role, "properties", "roleName") or scope.name
            yield Found(
                scope,
                f"Custom role {name} allows {', '.join(patterns)}, which includes listing and regenerating the keys of "
                "online endpoints: whoever can score can also take the keys and hand them on.",
                {
                    "get": _definition(name, scope),
                    "put": code(az("role definition update", role_definition="role.json")),
                },
            )


def _definition(name: str, role: Scope) -> str:
    got = az(
        "role definition list", name=name, custom_role_only="true", query="[0]", output="json", **subscription(role)
    )
    return code(f"{got} > role.json")


def _reaching_keys(block: PermissionBlock) -> Iterator[str]:
    """A role that may do everything is no surprise. A role that names AML's actions with a wildcard is."""
    for pattern in block.actions:
        named = pattern.casefold().startswith(_AML) and "*" in pattern
        if named and any(includes(pattern, key.action) and block.allows(key) for key in _KEYS):
            yield pattern


def _authors(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    home = workspace.id.subscription
    yield from unreadable(_role_wants(workspace, estate), estate)
    for role in _custom(workspace, estate):
        author = text(role, "properties", "updatedBy") or text(role, "properties", "createdBy")
        scope = scope_or_none(role.get("id"))
        if home and scope and author and any(a.casefold().startswith(_AML) for b in _blocks(role) for a in b.actions):
            name = text(role, "properties", "roleName") or scope.name
            principal = Principal(object_id(author), f"the author of custom role {name} ({author})", type="")
            reason = f"{principal.label} maintains it, for AML in {home.name}"
            yield RequiredGrant(principal, WRITE_ROLES, home, scope, ("AML-47",), reason)


def _guid(value: object) -> str:
    return str(value or "").rpartition("/")[2].casefold()


SCORING = "endpoint-scorers"
BROAD_ROLES = "custom-role-keys"
AUTHORS = "custom-role-authors"

RULES = (
    Rule(
        name="people",
        requirements=("AML-44",),
        mode=RuleKind.OPT_IN,
        title="The groups that the policy names hold AzureML Data Scientist, or the role that it names, on its "
        "workspaces.",
        source=_ROLES,
        examine=_groups,
        acts="a workspace with the policy's tag, on which its group holds nothing",
        leaves="a workspace without the tag",
        grants=(SCORE_AND_MANAGE,),
        keeps_apart=False,
        to_groups=lambda people: (people.role_id,),
        watches=_WORKSPACES,
    ),
    Rule(
        name=SCORING,
        requirements=("AML-44",),
        mode=RuleKind.AUDIT,
        title="If endpoints accept only tokens, some user or group can score.",
        source=_ROLES,
        examine=_nobody_scores,
        acts="an endpoint with authMode AADToken on a workspace on which no user or group holds a role",
        leaves="a group that holds AzureML Data Scientist on the workspace",
        severity=Severity.LOW,
        remedy="Name a group in the policy (people: [{{groups: [OBJECT-ID], role: data_scientist, scopes: "
        '["{workspace}"]}}]), or: {grants}',
        wants=_score_wants,
        reads=(List.ENDPOINTS,),
        watches=_ENDPOINTS,
    ),
    Rule(
        name=BROAD_ROLES,
        requirements=("AML-46",),
        mode=RuleKind.AUDIT,
        title="Custom roles do not give access to the keys of online endpoints through a wildcard.",
        source=_ROLES,
        examine=_too_broad,
        acts="a custom role with Microsoft.MachineLearningServices/workspaces/onlineEndpoints/*/action",
        leaves="a custom role whose notActions exclude listKeys and regenerateKeys",
        severity=Severity.MEDIUM,
        remedy=f"Name the actions instead ({_SCORE.action}), or add listKeys/action and regenerateKeys/action to its "
        f"notActions: get it ({{get}}), edit it, and put it back: {{put}}",
        wants=_role_wants,
        reads=(List.ENDPOINTS,),
        watches=_ENDPOINTS,
    ),
    Rule(
        name=AUTHORS,
        requirements=("AML-47",),
        mode=RuleKind.AUDIT,
        title="Whoever wrote a custom role for AML may still write roles, as Owner, User Access Administrator or "
        "similar.",
        source=_ROLES,
        examine=_authors,
        acts="a custom role for AML whose author holds nothing any more",
        leaves="a custom role whose author holds User Access Administrator",
        advises=True,
        wants=_role_wants,
        reads=(List.ENDPOINTS,),
        watches=_ENDPOINTS,
    ),
)
