"""Serverless compute: the default way to run a job. Its nodes have no identity of their own (AML-72, AML-84).

Without the registry's admin user they pull as the workspace's user-assigned identity, or not at all. That a workspace
uses it shows in its settings, or in its jobs: the newest ones without a compute.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from enum import Enum

from shared.access.asks import Ask, Cover, Finding, RegistryUser, Severity, UserKind
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
# Enough to see a month of a busy workspace, few enough for the function's time.
_MOST_PAGES = 20


class _Use(Enum):
    """`UNREAD` jobs are to be read yet; `UNKNOWN`: they cannot be."""

    YES = "yes"
    NO = "no"
    UNREAD = "unread"
    UNKNOWN = "unknown"


def _first(workspace: Workspace) -> Want:
    return Want(workspace.id, _JOBS, pages=1)


def _more(workspace: Workspace) -> Want:
    return Want(workspace.id, _JOBS, pages=_MOST_PAGES)


def _by_jobs(workspace: Workspace, estate: Estate) -> tuple[_Use, tuple[Want, ...]]:
    """What the jobs within the look-back say, and what else would have to be read to know."""
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
        # The newest come first: a list that reaches beyond the look-back has shown all that counts.
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
    """AML-72, as the workspace's own settings say it."""
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
        if use is _Use.UNKNOWN:  # the fix is for those of whom it is known; this one only has to be able to
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
    """Where a user-assigned identity is to be granted what serverless jobs need; else only a switch-off asks."""
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
        return  # AML-12 and AML-98 advise on it
    if acts_as_other and _use(workspace, estate)[0] is _Use.YES:
        yield Finding(
            workspace.id,
            SERVERLESS_IDENTITY,
            ("AML-72",),
            Severity.MEDIUM,
            f"Workspace {workspace.id.name} uses serverless compute, which can pull without the registry's admin user "
            "only through a user-assigned identity of the workspace, and it acts as none.",
            f"{ROLES_FIRST}Then attach it and make it primary, which AML cannot change back: "
            f"{update_workspace(workspace, 'IDENTITY-ID', primary='IDENTITY-ID')}",
        )


SERVERLESS_PULL = "serverless-pull"
SERVERLESS_IDENTITY = "serverless-identity"
SERVERLESS_JOBS = "serverless-jobs"

RULES = (
    Rule(
        SERVERLESS_PULL,
        ("AML-72",),
        RuleKind.GUARD,
        "Serverless compute can pull without the admin user only through the workspace's user-assigned identity.",
        _SOURCE,
        _settings,
        "serverless settings on a workspace with only a system-assigned identity: the admin user stays on",
        "a workspace whose primary user-assigned identity can pull",
        watches=_WATCHES,
    ),
    Rule(
        SERVERLESS_IDENTITY,
        ("AML-72",),
        RuleKind.AUDIT,
        "A workspace with serverless compute acts as a user-assigned identity, which is all that it can pull with.",
        _SOURCE,
        _identity,
        "serverless settings on a workspace with only a system-assigned identity",
        "serverless settings on a workspace whose primary identity is user-assigned",
        watches=_WATCHES,
    ),
    Rule(
        SERVERLESS_JOBS,
        ("AML-84",),
        RuleKind.GUARD,
        "While recent jobs without a compute have no identity to pull with, the admin user stays on.",
        _SOURCE,
        _jobs,
        "a recent job without a compute in a workspace with only a system-assigned identity",
        "a workspace whose recent jobs all name a compute",
        also=("AML-70", "AML-72"),
        watches=_WATCHES,
    ),
    Rule(
        "serverless-jobs-pull",
        ("AML-84",),
        RuleKind.FIX,
        "A workspace's user-assigned identity can pull from its registry when serverless compute is used.",
        _SOURCE,
        _pull,
        "a recent job without a compute in a workspace that acts as a user-assigned identity",
        "a workspace whose recent jobs all name a compute",
        wants=_wants,
        also=("AML-70", "AML-72"),
        grants=PULLS,
        watches=_WATCHES,
    ),
)
