"""Serverless compute: the default way to run a job. Its nodes have no identity of their own (AML-72, AML-84).

Without the registry's admin user they pull as the workspace's user-assigned identity, or not at all. A workspace's
settings show whether it uses serverless compute, or else its jobs do: the newest jobs without a compute.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from enum import Enum

from shared.access.asks import Ask, Cover, Found, RegistryUser, Severity, UserKind
from shared.access.ids import PRIMARY
from shared.access.jobs import is_serverless, submitted
from shared.access.model import Estate, Part, Raw, Unreadable, Want, Workspace
from shared.access.preferences import Serverless
from shared.access.rules.identities import primary
from shared.access.rules.identity_change import ROLES_FIRST, update_workspace
from shared.access.rules.pull import PULLS, pull
from shared.access.rules.rule import Rule, RuleKind

_SOURCE = "learn.microsoft.com/azure/machine-learning/how-to-use-serverless-compute"
_WATCHES = ("Microsoft.MachineLearningServices/workspaces",)
_JOBS = "jobs"
# Enough to see a month of a busy workspace, and few enough for the time that the function has.
_MOST_PAGES = 20


class _Use(Enum):
    """`UNREAD`: its jobs have yet to be read. `UNKNOWN`: they cannot be read."""

    YES = "yes"
    NO = "no"
    UNREAD = "unread"
    UNKNOWN = "unknown"


def _first(workspace: Workspace) -> Want:
    return Want(workspace.id, _JOBS, pages=1)


def _more(workspace: Workspace) -> Want:
    return Want(workspace.id, _JOBS, pages=_MOST_PAGES)


def _by_jobs(workspace: Workspace, estate: Estate) -> tuple[_Use, tuple[Want, ...]]:
    """What the jobs within the look-back time say, and what else must be read to know."""
    since = estate.now - timedelta(days=estate.preferences.look_back_days)
    for want in (_first(workspace), _more(workspace)):
        if want not in estate.facts:
            return _Use.UNREAD, (want,)
        listed = estate.facts[want]
        if isinstance(listed, Unreadable):
            return _Use.UNKNOWN, ()
        jobs: Iterable[Raw] = listed if isinstance(listed, tuple) else ()
        recent = [job for job in jobs if (made := submitted(job)) is None or made >= since]
        if any(map(is_serverless, recent)):
            return _Use.YES, ()
        # The newest come first, so a list that reaches back beyond the look-back time has shown all that counts.
        if not isinstance(listed, Part) or len(recent) < len(listed):
            return _Use.NO, ()
    return _Use.UNKNOWN, ()


def _use(workspace: Workspace, estate: Estate) -> tuple[_Use, tuple[Want, ...]]:
    match estate.preferences.serverless:
        case Serverless.NEVER:
            return _Use.NO, ()
        case Serverless.ALWAYS:
            return _Use.YES, ()
        case _:
            return (_Use.YES, ()) if workspace.serverless else _by_jobs(workspace, estate)


def _settings(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """AML-72: what the workspace's own settings say."""
    if workspace.serverless and not workspace.acts_as_uai and estate.preferences.serverless is not Serverless.NEVER:
        name = workspace.id.name
        reason = f"serverless compute of workspace {name} has no identity: it can pull only as the admin user"
        yield from _user(workspace, Cover.UNCOVERED, reason, "serverlessComputeSettings")


def _jobs(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """AML-84: what the settings do not say."""
    registry = estate.registries.get(workspace.registry) if workspace.registry else None
    if registry is None or workspace.serverless:
        return
    use, wants = _use(workspace, estate)
    name = workspace.id.name
    if use is _Use.UNREAD:
        if registry.admin_user:
            reason = f"the jobs of {name}, which would show serverless compute, were not read yet"
            yield from _user(workspace, Cover.UNKNOWN, reason, wants=wants)
    elif use is _Use.NO:
        yield from _user(workspace, Cover.COVERED, f"no recent job of {name} runs on serverless compute")
    elif workspace.acting and workspace.acts_as_uai:
        if use is _Use.UNKNOWN:  # the grant is for those known to use it; this one must only be able to pull
            yield pull(workspace.acting, registry.id, workspace.id, estate, "AML-84", "AML-72")
    elif use is _Use.UNKNOWN:
        reason = (
            f"not all recent jobs of {name} can be seen, so nobody can tell whether some run on serverless compute, "
            "which pulls only as the admin user. If none does, say so in the policy: serverless: never"
        )
        yield from _user(workspace, Cover.UNKNOWN, reason)
    else:
        always = estate.preferences.serverless is Serverless.ALWAYS
        shown = "the policy says that jobs run" if always else "recent jobs run"
        reason = f"{shown} on serverless compute of workspace {name}, which has no identity: it can pull only as the "
        yield from _user(workspace, Cover.UNCOVERED, f"{reason}admin user")


def _user(
    workspace: Workspace, cover: Cover, reason: str, source: str = "jobs", *, wants: tuple[Want, ...] = ()
) -> Iterator[RegistryUser]:
    if workspace.registry:
        label = f"serverless compute of {workspace.id.name}"
        kind = UserKind.SERVERLESS
        yield RegistryUser(workspace.registry, kind, label, workspace.id, cover, source, reason, wants=wants)


def _wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    """Needed if a user-assigned identity is to get what serverless jobs need.

    Otherwise only a switch-off asks for it.
    """
    if workspace.registry and workspace.acts_as_uai:
        yield from _use(workspace, estate)[1]


def _pull(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    acting = workspace.acting if workspace.acts_as_uai else None
    if acting and workspace.registry and _use(workspace, estate)[0] is _Use.YES:
        yield pull(acting, workspace.registry, workspace.id, estate, "AML-84", "AML-72")


def _identity(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    unclear = workspace.identity.unclear or workspace.unclear(PRIMARY)
    acts_as_other = workspace.registry and not workspace.acts_as_uai and not unclear
    if any(primary(workspace, estate)) or workspace.primary in {one.id for one in workspace.identity.lost}:
        return  # AML-12 and AML-98 report it
    if acts_as_other and _use(workspace, estate)[0] is _Use.YES:
        yield Found(
            workspace.id,
            f"Workspace {workspace.id.name} uses serverless compute, which can pull without the registry's admin user "
            "only through a user-assigned identity of the workspace, and it acts as none.",
            {"change": update_workspace(workspace, "IDENTITY-ID", primary="IDENTITY-ID")},
        )


SERVERLESS_PULL = "serverless-pull"
SERVERLESS_IDENTITY = "serverless-identity"
SERVERLESS_JOBS = "serverless-jobs"

RULES = (
    Rule(
        name=SERVERLESS_PULL,
        requirements=("AML-72",),
        mode=RuleKind.GUARD,
        title="Without the admin user, serverless compute can pull only through the workspace's user-assigned "
        "identity.",
        source=_SOURCE,
        examine=_settings,
        acts="serverless settings on a workspace with only a system-assigned identity: the admin user stays on",
        leaves="a workspace whose primary user-assigned identity can pull",
        watches=_WATCHES,
    ),
    Rule(
        name=SERVERLESS_IDENTITY,
        requirements=("AML-72",),
        mode=RuleKind.AUDIT,
        title="A workspace with serverless compute acts as a user-assigned identity, because it can pull only "
        "with that.",
        source=_SOURCE,
        examine=_identity,
        acts="serverless settings on a workspace with only a system-assigned identity",
        leaves="serverless settings on a workspace whose primary identity is user-assigned",
        severity=Severity.MEDIUM,
        remedy=f"{ROLES_FIRST}Then attach it and make it primary, which AML cannot undo: {{change}}",
        watches=_WATCHES,
    ),
    Rule(
        name=SERVERLESS_JOBS,
        requirements=("AML-84",),
        mode=RuleKind.GUARD,
        title="While recent jobs without a compute have no identity to pull with, the admin user stays on.",
        source=_SOURCE,
        examine=_jobs,
        acts="a recent job without a compute in a workspace with only a system-assigned identity",
        leaves="a workspace whose recent jobs all name a compute",
        advises=True,
        also=("AML-70", "AML-72"),
        watches=_WATCHES,
    ),
    Rule(
        name="serverless-jobs-pull",
        requirements=("AML-84",),
        mode=RuleKind.FIX,
        title="A workspace's user-assigned identity can pull from its registry when serverless compute is used.",
        source=_SOURCE,
        examine=_pull,
        acts="a recent job without a compute in a workspace that acts as a user-assigned identity",
        leaves="a workspace whose recent jobs all name a compute",
        wants=_wants,
        also=("AML-70", "AML-72"),
        grants=PULLS,
        keeps_apart=False,
        watches=_WATCHES,
    ),
)
