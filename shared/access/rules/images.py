"""Images of registries other than the workspace's own, as environments and deployments show them (AML-90).

It reads only what it has to: environments if something could run them, deployments of endpoints that have an identity,
and registries if an image comes from one. The number of environments grows without bound, so only those that were
changed last are read.
"""

# long: its rules look for the same images, and share how
from collections.abc import Iterator

from shared.access import connections
from shared.access.asks import Ask, Found, RequiredGrant, Severity
from shared.access.images import (
    AML_REGISTRY,
    MOST_ENVIRONMENTS,
    Asset,
    as_it_is,
    assets,
    of_job,
    of_microsoft,
    registries_of,
)
from shared.access.model import ComputeType, Endpoint, Estate, Principal, Raw, Registry, Want, Workspace
from shared.access.needs import PULL, PULL_ABAC, USE_AML_REGISTRY
from shared.access.raw import get, scope_or_none, text
from shared.access.registries import registry as registry_of
from shared.access.rules.az import assign, at, az, code
from shared.access.rules.builds import latest
from shared.access.rules.jobs import JOBS, identity, newest, run_by, steps
from shared.access.rules.pull import PULLS
from shared.access.rules.rule import FindingKind, List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_DOCS = "learn.microsoft.com/azure/machine-learning/"
_AUTHENTICATION = _DOCS + "how-to-identity-based-service-authentication"
_AML_REGISTRIES = "Microsoft.MachineLearningServices/registries"
_REGISTRIES = "Microsoft.ContainerRegistry/registries"
# Not environments: a job that brings its own environment writes one each time, and jobs are too many to look at. The
# next event about a compute or a deployment, or the next sweep, sees what changed in one.
_WATCHES = (
    "Microsoft.MachineLearningServices/workspaces/computes",
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",
)
_RUNNING = (ComputeType.AML_COMPUTE, ComputeType.COMPUTE_INSTANCE, ComputeType.KUBERNETES)

type _Runner = tuple[Principal, Scope]


def _computes(workspace: Workspace) -> list[_Runner]:
    """Any of these computes may run any environment."""
    ready = ((one.identity.default, one) for one in workspace.computes if one.type in _RUNNING)
    return [(principal, one.id) for principal, one in ready if principal]


def _endpoints(workspace: Workspace) -> list[tuple[Principal, Endpoint]]:
    return [(principal, one) for one in workspace.endpoints if (principal := one.identity.default)]


def _deployed(endpoint: Endpoint, estate: Estate) -> list[Asset]:
    return [asset for raw in estate.listed(endpoint.id, "deployments") for asset in assets(raw)]


def _own_environments(endpoint: Endpoint, estate: Estate) -> list[Scope]:
    used = _deployed(endpoint, estate)
    return [one.id for one in used if one.kind == "environments" and one.id and not one.registry]


def _hosts(workspace: Workspace, estate: Estate) -> dict[str, list[_Runner]]:
    """Who pulls from a container registry that is not the workspace's own, by the registry's login server."""
    running = [(version, runner) for version in latest(workspace, estate) for runner in _computes(workspace)]
    for principal, endpoint in _endpoints(workspace):
        running += [(version, (principal, endpoint.id)) for version in _own_environments(endpoint, estate)]
    own = estate.registries.get(workspace.registry) if workspace.registry else None
    home = (own.login_server or "").casefold() if own else ""
    found: dict[str, list[_Runner]] = {}
    for version, runner in running:
        host = as_it_is(estate.resource(version))
        if host and host != home:
            found.setdefault(host, []).append(runner)
    return {host: list(dict.fromkeys(runners)) for host, runners in found.items()}


def _aml_registries(workspace: Workspace, estate: Estate) -> dict[str, list[tuple[_Runner, Asset]]]:
    """Who uses an asset of an AML registry that is not Microsoft's, by the registry's name in lower case."""
    found: dict[str, list[tuple[_Runner, Asset]]] = {}
    for principal, endpoint in _endpoints(workspace):
        for asset in _deployed(endpoint, estate):
            if asset.registry and not of_microsoft(asset.registry):
                found.setdefault(asset.registry.casefold(), []).append(((principal, endpoint.id), asset))
    for runner, asset in _in_jobs(workspace, estate):
        if asset.registry and not of_microsoft(asset.registry):
            found.setdefault(asset.registry.casefold(), []).append((runner, asset))
    return found


def _in_jobs(workspace: Workspace, estate: Estate) -> Iterator[tuple[_Runner, Asset]]:
    """From the newest jobs, by the identity that runs them. Jobs that run as their user are left out."""
    for job in estate.listed(workspace.id, JOBS, pages=1) if workspace.datastores else ():
        body = get(job, "properties")
        default = text(body, "settings", "default_compute") or text(body, "computeId")
        for one in (body, *steps(job)):
            runner = run_by(text(one, "computeId") or default, workspace)
            if runner and "user" not in (identity(one), identity(body)):
                yield from ((runner, asset) for asset in of_job(one))


def _aml_registry(name: str, workspace: Workspace, estate: Estate) -> Raw | None:
    home = workspace.id.subscription
    listed = estate.listed(home, _AML_REGISTRIES) if home else ()
    return next((raw for raw in listed if str(raw.get("name")).casefold() == name), None)


def _known(host: str, workspace: Workspace, estate: Estate) -> Registry | None:
    """By a connection that names its id, or else by the list of the workspace's subscription."""
    named = (estate.registries.get(one.registry) for one in workspace.connections if one.registry)
    home = workspace.id.subscription
    listed = (
        (registry_of(raw) for raw in estate.listed(home, _REGISTRIES) if scope_or_none(raw.get("id"))) if home else ()
    )
    return next((one for one in (*named, *listed) if one and (one.login_server or "").casefold() == host), None)


def _wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    yield from _asset_wants(workspace, estate)
    if _computes(workspace):
        yield Want(workspace.id, "environments")
        yield from map(Want, latest(workspace, estate))
    for _, endpoint in _endpoints(workspace):
        yield from map(Want, _own_environments(endpoint, estate))
    home = workspace.id.subscription
    by_id = {connections.host(one) for one in workspace.connections if one.registry}
    if home and _hosts(workspace, estate).keys() - by_id:
        yield Want(home, _REGISTRIES)
    yield from (Want(scope) for scope, _ in _behind(workspace, estate))


def _asset_wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    yield from (Want(endpoint.id, "deployments") for _, endpoint in _endpoints(workspace))
    if workspace.datastores and (_computes(workspace) or workspace.acts_as_uai):
        yield newest(workspace)  # as in other rules about a workspace with datastores
    if workspace.id.subscription and _aml_registries(workspace, estate):
        yield Want(workspace.id.subscription, _AML_REGISTRIES)


def _behind(workspace: Workspace, estate: Estate) -> Iterator[tuple[Scope, _Runner]]:
    """The container registries of AML registries from which an environment comes."""
    for name, uses in _aml_registries(workspace, estate).items():
        registry = _aml_registry(name, workspace, estate)
        for runner in dict.fromkeys(runner for runner, asset in uses if asset.kind == "environments"):
            yield from ((scope, runner) for scope in (registries_of(registry) if registry else ()))


def _pulls(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    for host, runners in _hosts(workspace, estate).items():
        registry = _known(host, workspace, estate)
        for runner in runners if registry else ():
            if registry:
                yield _pull(runner, registry, f"runs an image of {registry.id.name}")
    for scope, runner in _behind(workspace, estate):
        raw = estate.resource(scope)
        if raw is not None and scope.resource_type == _REGISTRIES.casefold():
            yield _pull(runner, registry_of(raw), f"runs an environment of an AML registry, which lies in {scope.name}")


def _pull(runner: _Runner, registry: Registry, why: str) -> RequiredGrant:
    """A user of the workspace named this registry, so only the policy's allow-list permits the grant."""
    principal, on = runner
    ids = ("AML-90", "AML-70") if registry.abac else ("AML-90",)
    need = PULL_ABAC if registry.abac else PULL
    return RequiredGrant(principal, need, registry.id, on, ids, f"{principal.label} {why}", explicit=True)


def _not_known(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_wants(workspace, estate), estate)
    home = workspace.id.subscription
    for host, runners in _hosts(workspace, estate).items():
        if home and Want(home, _REGISTRIES) in estate.facts and _known(host, workspace, estate) is None:
            yield _no_registry(workspace, host, runners)
    listed = [raw for raw in estate.listed(workspace.id, "environments") if not get(raw, "properties", "isArchived")]
    if _computes(workspace) and len(listed) > MOST_ENVIRONMENTS:
        yield Found(
            workspace.id,
            f"Workspace {workspace.id.name} has {len(listed)} environments, and only the {MOST_ENVIRONMENTS} that were "
            "changed last were looked at: amlguard does not know whose images the others run.",
            {"archive": code(az("ml environment archive", name="ENVIRONMENT", **at(workspace.id)))},
            kind="too many environments",
        )


def _no_registry(workspace: Workspace, host: str, runners: list[_Runner]) -> Found:
    names = ", ".join(sorted({principal.label for principal, _ in runners}))
    holders = az("role assignment list", scope="REGISTRY-ID", role="AcrPull", include_inherited=True)
    return Found(
        workspace.id,
        f"Images of {host} run in workspace {workspace.id.name}, and that registry is not in the workspace's "
        f"subscription, or may not be read: whether {names} can pull from it is not known.",
        {"holders": code(holders), "host": host},
        kind="registry not seen",
    )


def _uses(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    for name, uses in _aml_registries(workspace, estate).items():
        raw = _aml_registry(name, workspace, estate)
        scope = scope_or_none(raw.get("id")) if raw else None
        for principal, on in dict.fromkeys(runner for runner, _ in uses) if scope else ():
            if scope and scope.resource_type == AML_REGISTRY:
                reason = f"{principal.label} uses assets of AML registry {scope.name}"
                yield RequiredGrant(principal, USE_AML_REGISTRY, scope, on, ("AML-97",), reason, explicit=True)


def _not_found(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_asset_wants(workspace, estate), estate)
    home = workspace.id.subscription
    want = Want(home, _AML_REGISTRIES) if home else None
    if want is None or want not in estate.facts or estate.unreadable(want):
        return
    for name, uses in _aml_registries(workspace, estate).items():
        if _aml_registry(name, workspace, estate) is None:
            holders = {principal.label: principal for (principal, _), _ in uses}
            yield Found(
                workspace.id,
                f"Deployments or jobs of workspace {workspace.id.name} use assets of AML registry {name}, which is not "
                f"in the workspace's subscription: whether {', '.join(sorted(holders))} may use it is not known.",
                {
                    "find": code(_find(name)),
                    "grants": code(
                        *(assign(who.id, "AzureML Registry User", "REGISTRY-ID") for who in holders.values())
                    ),
                },
            )


def _find(registry: str) -> str:
    found = {"resource_type": _AML_REGISTRIES, "query": f"[?name=='{registry}'].id", "output": "tsv"}
    return az("resource list", **found, subscription="SUBSCRIPTION-ID")


IMAGES = "image-registries"
AML_REGISTRIES = "aml-registries"

RULES = (
    Rule(
        name="image-registry-pull",
        requirements=("AML-90",),
        mode=RuleKind.FIX,
        title="An identity that runs an image of another registry can pull from it, if the policy allows that "
        "registry.",
        source=_AUTHENTICATION,
        examine=_pulls,
        acts="an environment with an unchanged image of a registry on the allow-list, and a cluster",
        leaves="an environment with an image of mcr.microsoft.com",
        wants=_wants,
        also=("AML-70",),
        grants=PULLS,
        reads=(List.COMPUTES, List.ENDPOINTS, List.CONNECTIONS, List.DATASTORES),
        watches=_WATCHES,
        allow_listed=True,
        keeps_apart=True,
    ),
    Rule(
        name=IMAGES,
        requirements=("AML-90",),
        mode=RuleKind.AUDIT,
        title="amlguard can find every registry whose images a workspace runs.",
        source=_AUTHENTICATION,
        examine=_not_known,
        acts="an image of a registry that is not in the workspace's subscription",
        leaves="an image of a registry in the workspace's subscription",
        findings={
            "registry not seen": FindingKind(
                Severity.LOW,
                "See who holds AcrPull there ({holders}). To let amlguard look, add a connection to {host} to the "
                "workspace, with the registry's id in its metadata.",
            ),
            "too many environments": FindingKind(Severity.INFORMATIONAL, "Archive those that nobody uses: {archive}"),
        },
        wants=_wants,
        reads=(List.COMPUTES, List.ENDPOINTS, List.CONNECTIONS, List.DATASTORES),
        watches=_WATCHES,
    ),
    Rule(
        name="aml-registry-user",
        requirements=("AML-97",),
        mode=RuleKind.OPT_IN,
        title="An identity that runs deployments or jobs with assets of an AML registry holds AzureML Registry User "
        "there.",
        source=_DOCS + "how-to-manage-registries",
        examine=_uses,
        acts="a deployment or a job with a model of an AML registry",
        leaves="a deployment with a model of Microsoft's registry azureml",
        wants=_asset_wants,
        grants=(USE_AML_REGISTRY,),
        keeps_apart=False,
        reads=(List.ENDPOINTS, List.COMPUTES, List.DATASTORES),
        watches=_WATCHES[1:],
        allow_listed=True,
    ),
    Rule(
        name=AML_REGISTRIES,
        requirements=("AML-97",),
        mode=RuleKind.AUDIT,
        title="amlguard can find every AML registry whose assets deployments and jobs use.",
        source=_DOCS + "how-to-manage-registries",
        examine=_not_found,
        acts="a deployment with an environment of an AML registry that is not in the subscription",
        leaves="a deployment with an environment of an AML registry that is in the subscription",
        severity=Severity.LOW,
        remedy="Find its id in its own subscription ({find}), then: {grants}",
        wants=_asset_wants,
        reads=(List.ENDPOINTS, List.COMPUTES, List.DATASTORES),
        watches=_WATCHES[1:],
    ),
)
