"""Two rules that are new, as somebody would write them by hand: file by file, what is added to each."""

from collections.abc import Mapping
from dataclasses import dataclass

METRICS_WRITER = "635dd51f-9968-44d3-b7fb-6d9a6bd613ae"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
MONITORING_READER = "43d0d8ad-25c7-4714-9337-8ba259a9fe05"
SYNAPSE = "Microsoft.Synapse/workspaces"


@dataclass(frozen=True)
class Added:
    """`text` goes before the only `before` of the file; at its end, or into a new file, where that is empty."""

    text: str
    before: str = ""

    def to(self, old: str) -> str:
        if not self.before:
            return old + self.text
        assert old.count(self.before) == 1, f"{self.before} is not in that file once"
        return old.replace(self.before, self.text + self.before)


_METRICS = """

from shared.access.needs import WRITE_METRICS
from shared.access.rules.identity_change import update_compute


def _writes_metrics(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    for compute in workspace.computes:
        if compute.identity.default:
            reason = f"{compute.identity.default.label} writes metrics to {workspace.id.name}"
            yield RequiredGrant(
                compute.identity.default, WRITE_METRICS, workspace.id, compute.id, ("AML-999",), reason
            )
        elif compute.identity.empty:
            yield Found(compute.id, f"{compute.id.name} writes no metrics.", {"change": update_compute(compute)})


RULES = (
    *RULES,
    Rule(
        name="compute-metrics",
        requirements=("AML-999",),
        mode=RuleKind.OPT_IN,
        optional=True,
        title="A compute's identity writes metrics to its workspace.",
        source=_INSTANCES,
        examine=_writes_metrics,
        acts="a cluster whose identity holds nothing on the workspace",
        leaves="a cluster that is AzureML Metrics Writer there",
        severity=Severity.LOW,
        remedy="It needs an identity to write metrics as: {change}",
        grants=(WRITE_METRICS,),
        keeps_apart=False,
        reads=(List.COMPUTES,),
        watches=(*_WATCHES, "Microsoft.ManagedIdentity/userAssignedIdentities"),
    ),
)
"""

_METRICS_CASES = '''"""Cases of a rule that is new."""

from catalogue.build import assign, compute, system, workspace
from catalogue.case import Case, Place, Tenant


def _cluster(*, held: bool = False, identity: bool = True):
    def build(place: Place) -> Tenant:
        mlw = workspace(place)
        one = compute(mlw, "cpu1", identity=system(place.object_id("cpu1")) if identity else None)
        role = "635dd51f-9968-44d3-b7fb-6d9a6bd613ae"
        return Tenant([mlw, one], [assign(mlw["id"], place.object_id("cpu1"), role)] if held else [])

    return build


CASES = (
    Case("compute-metrics", True, "holds nothing", _cluster(), "writes metrics to mlw", "Applied"),
    Case("compute-metrics", True, "no identity", _cluster(identity=False), "write metrics as: `az", "Finding"),
    Case("compute-metrics", False, "holds it", _cluster(held=True)),
)
'''

_SYNAPSE = """

from shared.access.needs import Need
from shared.access.permissions import Permission
from shared.access.raw import get

_SYNAPSE = "Microsoft.Synapse/workspaces"
_READ = Need(
    "read the attached Synapse workspace",
    (Permission(f"{_SYNAPSE}/read"),),
    "43d0d8ad-25c7-4714-9337-8ba259a9fe05",
    "Monitoring Reader",
)


def _pools(workspace: Workspace) -> Iterator[tuple[Compute, Scope]]:
    for compute in workspace.computes:
        if compute.type is ComputeType.SYNAPSE_SPARK and compute.attached:
            yield compute, compute.attached.parent


def _synapse_workspaces(workspace: Workspace, _: Estate) -> Iterator[Want]:
    return (Want(synapse) for _, synapse in _pools(workspace))


def _reads_synapse(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_synapse_workspaces(workspace, estate), estate)
    for compute, synapse in _pools(workspace):
        if workspace.acting:
            reason = f"{workspace.acting.label} must {_READ.name} {synapse.name}"
            yield RequiredGrant(workspace.acting, _READ, synapse, compute.id, ("AML-998",), reason)
        raw = estate.resource(synapse)
        if raw and get(raw, "properties", "azureADOnlyAuthentication") is not True:
            yield Found(synapse, f"Synapse workspace {synapse.name} takes passwords.", {"name": synapse.name})


RULES = (
    *RULES,
    Rule(
        name="attached-synapse",
        requirements=("AML-998",),
        mode=RuleKind.FIX,
        title="A workspace reads the Synapse workspace whose Spark pool is attached to it.",
        source=_SOURCE,
        examine=_reads_synapse,
        acts="an attached pool of a Synapse workspace that takes passwords",
        leaves="one that its workspace reads, and that takes no passwords",
        severity=Severity.LOW,
        remedy="Allow Microsoft Entra authentication only on {name}",
        grants=(_READ,),
        keeps_apart=False,
        wants=_synapse_workspaces,
        reads=(List.COMPUTES,),
        watches=(*_WATCHES, _SYNAPSE),
    ),
)
"""

_SYNAPSE_KIND = """    Dependency(
        "Synapse workspace of a compute",
        Namer.COMPUTE,
        ("microsoft.synapse/workspaces",),
        (f"{_PROPERTY}.resourceId",),
        _attached,
    ),
"""

_SYNAPSE_CASES = '''"""Cases of a rule about a type of resource that is new."""

from catalogue.build import assign, compute, resource, workspace
from catalogue.case import Case, Place, Tenant


def _pool(*, held: bool = False, passwords: bool = True):
    def build(place: Place) -> Tenant:
        kind = "Microsoft.Synapse/workspaces"
        synapse = resource(place.id(kind, "synapse"), kind, {"azureADOnlyAuthentication": not passwords})
        mlw = workspace(place)
        one = compute(mlw, "spark", "SynapseSpark", resourceId=f"{synapse['id']}/bigDataPools/pool")
        mine = mlw["identity"]["principalId"]
        role = "43d0d8ad-25c7-4714-9337-8ba259a9fe05"
        return Tenant([synapse, mlw, one], [assign(synapse["id"], mine, role)] if held else [], aml=False)

    return build


CASES = (
    Case("attached-synapse", True, "holds nothing", _pool(passwords=False), "must read the attached Syn", "Applied"),
    Case("attached-synapse", True, "takes passwords", _pool(held=True), "authentication only on synapse", "Finding"),
    Case("attached-synapse", False, "reads it, no passwords", _pool(held=True, passwords=False)),
)
'''

RULES: Mapping[str, Mapping[str, Added]] = {
    "compute-metrics": {
        "shared/access/rules/instances.py": Added(_METRICS),
        "tests/catalogue/cases_added.py": Added(_METRICS_CASES),
    },
    "attached-synapse": {
        "shared/access/rules/attached_clusters.py": Added(_SYNAPSE),
        "shared/access/dependencies.py": Added(
            _SYNAPSE_KIND, before='    Dependency("relay of an Arc cluster", Namer.COMPUTE'
        ),
        "shared/azure/arm.py": Added('    "microsoft.synapse": "2021-06-01",\n', before='    "microsoft.web": '),
        "tests/catalogue/cases_added_too.py": Added(_SYNAPSE_CASES),
    },
}
"""`compute-metrics` needs nothing new: it grants what `endpoint-writes-metrics` does, to other identities. No other
rule looks at events of identities, and none grants that unless the policy says so. `attached-synapse` is about a type
of resource that no other rule looks at, reads or leads from.
"""
