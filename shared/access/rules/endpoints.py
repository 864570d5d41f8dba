"""Online endpoints: how callers sign in, who still uses keys, and whether their traffic is logged."""

from collections.abc import Iterator, Mapping, Sequence

from shared.access.asks import Ask, Found, RequiredGrant, Severity
from shared.access.evidence import key_calls, moment
from shared.access.model import Endpoint, Estate, Raw, Unreadable, Want, Workspace
from shared.access.needs import READ_CONNECTION_SECRETS
from shared.access.raw import flag, get, rows, text
from shared.access.rules.az import at, az, code
from shared.access.rules.rule import List, Rule, RuleKind, no_asks
from shared.access.rules.unreadable import unreadable

_DOCS = "learn.microsoft.com/azure/machine-learning/"
_SIGN_IN = _DOCS + "how-to-authenticate-online-endpoint"
_WATCHES = ("Microsoft.MachineLearningServices/workspaces/onlineEndpoints",)
_SETTINGS = "Microsoft.Insights/diagnosticSettings"
# The documents use both names for the log.
_TRAFFIC = ("amlonlineendpointtrafficlog", "amlonlineendpointtrafficlogs")
_SECRET = "azureml://connections/"  # noqa: S105 - how a deployment's environment variables name a secret


def token_only(endpoint: Endpoint) -> bool:
    return _mode(endpoint) == "aadtoken"


def _mode(endpoint: Endpoint) -> str:
    return (text(endpoint.raw, "properties", "authMode") or "").casefold()


_MODE = {"set": "auth_mode=aad_token"}


def _by_key(workspace: Workspace) -> list[Endpoint]:
    return [endpoint for endpoint in workspace.endpoints if _mode(endpoint) not in ("", "aadtoken")]


def _calls(workspace: Workspace, estate: Estate) -> Want:
    names = (endpoint.id.name for endpoint in _by_key(workspace))
    return key_calls(workspace.id, names, estate.preferences.look_back_days)


def _key_wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    if _by_key(workspace):
        yield _calls(workspace, estate)


def _signs_in(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    for endpoint in _by_key(workspace):
        credential = "an AML token" if _mode(endpoint) == "amltoken" else "a key"
        yield Found(
            endpoint.id,
            f"Endpoint {endpoint.id.name} is called with {credential} rather than a Microsoft Entra token. "
            f"{_seen(endpoint, workspace, estate)}",
            {"change": code(az("ml online-endpoint update", name=endpoint.id.name, **at(workspace.id), **_MODE))},
        )


def _seen(endpoint: Endpoint, workspace: Workspace, estate: Estate) -> str:
    """If a key was used, the log has no identity of the caller. It has only the name that the caller gives itself."""
    want, days = _calls(workspace, estate), estate.preferences.look_back_days
    match estate.facts.get(want):
        case Unreadable.FORBIDDEN:
            return "Nobody can tell whether keys are still used: amlguard lacks Log Analytics Data Reader."
        case Unreadable.NOT_CONFIGURED | None:
            return "Nobody can tell whether keys are still used: no log workspace is configured."
    name = endpoint.id.name.casefold()
    row = next((r for r in estate.listed(want.scope, query=want.query) if _named(r) == name), None)
    if row is None:
        return f"Its traffic log shows no call with a key in the last {days} days."
    agent = text(row, "UserAgent")
    by = f" by {agent[:80]}" if agent else ""
    return f"Keys are in use: {row.get('Calls')} calls in the last {days} days, last at {moment(row, 'Last')}{by}."


def _named(row: Raw) -> str:
    return (text(row, "EndpointName") or "").casefold()


def _managed(workspace: Workspace) -> list[Endpoint]:
    """Endpoints on Kubernetes have no traffic log."""
    return [endpoint for endpoint in workspace.endpoints if endpoint.compute is None]


def _log_wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    """All wants at once.

    Looking at the workspace's settings first would save requests, but grants would have to wait.
    """
    if _managed(workspace):
        yield Want(workspace.id, _SETTINGS)
    yield from (Want(endpoint.id, _SETTINGS) for endpoint in _managed(workspace))


def _logs_traffic(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    wants = tuple(_log_wants(workspace, estate))
    yield from unreadable(wants, estate)
    if any(want not in estate.facts or estate.unreadable(want) for want in wants):
        return
    for endpoint in _managed(workspace):
        if _recorded((*estate.listed(workspace.id, _SETTINGS), *estate.listed(endpoint.id, _SETTINGS))):
            continue
        yield Found(
            endpoint.id,
            f"No diagnostic setting sends the traffic log of endpoint {endpoint.id.name} anywhere: nobody can tell who "
            "called it, and how they signed in.",
            {"steps": _send_traffic_logs(endpoint)},
        )


def _send_traffic_logs(endpoint: Endpoint) -> str:
    """The setting has a name of its own, because it would replace a setting of the same name."""
    logs = '[{"category": "AmlOnlineEndpointTrafficLog", "enabled": true}]'
    named = {"name": "amlguard-traffic-log", "resource": endpoint.id}
    return code(az("monitor diagnostic-settings create", **named, workspace="LOG-WORKSPACE-ID", logs=logs))


def _recorded(settings: Sequence[Raw]) -> bool:
    return any(_carries(log) for setting in settings for log in rows(setting, "properties", "logs"))


def _carries(log: object) -> bool:
    category = (text(log, "category") or "").casefold()
    group = (text(log, "categoryGroup") or "").casefold()
    return flag(log, "enabled") is True and (category in _TRAFFIC or group == "alllogs")


def _deployments(workspace: Workspace, _: Estate) -> Iterator[Want]:
    """Secrets are injected from connections, so without connections there is nothing to look for."""
    if workspace.connections:
        yield from (Want(e.id, "deployments") for e in workspace.endpoints if e.identity.default)


def _injected(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_deployments(workspace, estate), estate)
    for endpoint in workspace.endpoints:
        principal = endpoint.identity.default
        using = [d for d in estate.listed(endpoint.id, "deployments") if _injects(d)]
        if principal and using:
            names = ", ".join(str(text(d, "name") or "?") for d in using)
            reason = f"{principal.label} reads secrets of the workspace's connections for its deployments: {names}"
            need = READ_CONNECTION_SECRETS
            yield RequiredGrant(principal, need, workspace.id, endpoint.id, ("AML-45",), reason)


def _injects(deployment: Raw) -> bool:
    variables = get(deployment, "properties", "environmentVariables")
    return isinstance(variables, Mapping) and any(_SECRET in str(value) for value in variables.values())


AUTHENTICATION = "endpoint-authentication"
TRAFFIC_LOGS = "endpoint-traffic-logs"
SECRETS = "connection-secrets"

RULES = (
    Rule(
        name=AUTHENTICATION,
        requirements=("AML-43",),
        mode=RuleKind.AUDIT,
        title="Online endpoints are called with Microsoft Entra tokens. If keys are used, the finding says how lately.",
        source=_SIGN_IN,
        examine=_signs_in,
        acts="an endpoint with authMode Key that the traffic log shows in use",
        leaves="an endpoint with authMode AADToken",
        severity=Severity.MEDIUM,
        remedy="Give callers a role that can score and let them ask for a token for https://ml.azure.com, then: "
        "{change}",
        wants=_key_wants,
        also=("AML-48",),
        reads=(List.ENDPOINTS,),
        watches=_WATCHES,
    ),
    Rule(
        name="token-audience",
        requirements=("AML-48",),
        mode=RuleKind.INPUT,
        title="Tokens for scoring are for ml.azure.com, tokens for management are for ARM: endpoint-authentication "
        "says so.",
        source=_SIGN_IN,
        examine=no_asks,
        acts="a remedy that asks callers to use Microsoft Entra tokens",
        leaves="an endpoint that already accepts only these",
        watches=_WATCHES,
        through=(AUTHENTICATION,),
    ),
    Rule(
        name=TRAFFIC_LOGS,
        requirements=("AML-49",),
        mode=RuleKind.AUDIT,
        title="The traffic log of every managed online endpoint goes to a diagnostic setting, its own or the "
        "workspace's.",
        source=_DOCS + "how-to-monitor-online-endpoints",
        examine=_logs_traffic,
        acts="an endpoint without any diagnostic setting",
        leaves="an endpoint of a workspace whose diagnostic setting carries allLogs",
        severity=Severity.MEDIUM,
        remedy="{steps}",
        wants=_log_wants,
        reads=(List.ENDPOINTS,),
        watches=_WATCHES,
    ),
    Rule(
        name=SECRETS,
        requirements=("AML-45",),
        mode=RuleKind.AUDIT,
        title="An endpoint whose deployments inject secrets of connections holds Workspace Connection Secrets Reader.",
        source=_DOCS + "concept-secret-injection",
        examine=_injected,
        acts="a deployment with a connection's secret in an environment variable, on an endpoint without the role",
        leaves="a deployment without secrets",
        advises=True,
        wants=_deployments,
        reads=(List.ENDPOINTS, List.CONNECTIONS),
        watches=(*_WATCHES, "Microsoft.MachineLearningServices/workspaces/connections"),
    ),
)
