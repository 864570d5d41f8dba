"""What people and other systems are told: the CloudEvents that amlguard sends to a topic (docs/events.md).

The schema that `make docs` writes follows from these types. An event tells of a run, or of a whole sweep, one for each
kind. It names at most `MOST_NAMED` changes and counts the others. The audit log has all of them.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from shared.access.guards import WANTED, Guard
from shared.audit_rows import Phase

MOST_NAMED = 50
# A message of the queue holds 64 KB, in base64, and its own names take some of that.
_MOST_BYTES = 40_000
_MOST_LETTERS = 600
_IDS = uuid.UUID("6a1cbb2e-4f0e-5d0b-a2f7-1f4ec70a5d16")

# Of the audit log, in the order of the fields of `Named`.
_COLUMNS = (
    *("ActionId", "Action", "RuleId", "ResourceId", "RunId", "Scope", "PrincipalId", "RoleDefinitionId"),
    *("Property", "To", "Guard", "Code", "Reason"),
)

type Row = Mapping[str, Any]


class Named(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One change. Object ids stand for people and identities; no names."""

    action_id: str
    action: Annotated[str, Meta(description="Grant, Setting or Removal")]
    rule: str
    resource_id: str
    run: Annotated[str, Meta(description="the run that did it, or that asks for it")]
    scope: str = ""
    principal_id: str = ""
    role_definition_id: str = ""
    property: str = ""
    to: str = ""
    guard: Annotated[str, Meta(description="what withheld it")] = ""
    code: Annotated[str, Meta(description="Azure's error code")] = ""
    reason: Annotated[
        str, Meta(description="for people; for an approval it ends with the command that releases it")
    ] = ""


class Digest(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Changes of one kind, of a part of a run or of a sweep."""

    total: int = 0
    actions: tuple[Named, ...] = ()

    def __add__(self, other: "Digest") -> "Digest":
        return Digest(self.total + other.total, (*self.actions, *other.actions)[:MOST_NAMED])


class Remediations(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    mode: str
    total: int
    actions: Annotated[tuple[Named, ...], Meta(max_length=MOST_NAMED)]
    not_named: Annotated[int, Meta(ge=0, description="how many more there are; the audit log has them")]
    run: Annotated[str, Meta(description="empty for a sweep")] = ""
    sweep: Annotated[str, Meta(description="empty for a run")] = ""
    workspace: Annotated[str, Meta(description="the workspace that the run was about, if it was one")] = ""


class SweepEnd(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    sweep: str
    mode: str
    workspaces: Annotated[int, Meta(description="how many were found")]
    failed: Annotated[int, Meta(description="of these, how many nobody could look at")]
    changes: int
    findings: int
    duration_ms: int


class _Event(Struct, frozen=True, tag_field="type", kw_only=True):
    """A CloudEvent. What carries it adds `specversion` and may add other attributes."""

    id: Annotated[str, Meta(description="the same if it comes twice: whoever gets it again may drop it")]
    source: Annotated[str, Meta(description="urn:amlguard: and the tenant's id")]
    subject: Annotated[str, Meta(description="the workspace, the run or the sweep")]
    time: datetime


class Applied(_Event, frozen=True, tag="amlguard.remediation.applied"):
    data: Remediations


class Failed(_Event, frozen=True, tag="amlguard.remediation.failed"):
    data: Remediations


class Withheld(_Event, frozen=True, tag="amlguard.remediation.withheld"):
    data: Remediations


class Contested(_Event, frozen=True, tag="amlguard.remediation.contested"):
    data: Remediations


class ApprovalNeeded(_Event, frozen=True, tag="amlguard.approval.needed"):
    data: Remediations


class SweepCompleted(_Event, frozen=True, tag="amlguard.sweep.completed"):
    data: SweepEnd


class SweepIncomplete(_Event, frozen=True, tag="amlguard.sweep.incomplete"):
    data: SweepEnd


type OfRun = Applied | Failed | Withheld | Contested | ApprovalNeeded
type Event = OfRun | SweepCompleted | SweepIncomplete

_KINDS: Mapping[str, type[OfRun]] = {
    kind.__name__: kind for kind in (Applied, Failed, Withheld, Contested, ApprovalNeeded)
}


CHANGES = frozenset({Applied.__name__, Failed.__name__})
"""The kinds of which each is news."""


def digests(rows: Iterable[Row]) -> dict[str, Digest]:
    """What the rows of the audit log say that people are told, by kind. An action counts once."""
    found: dict[str, dict[str, Named]] = {}
    for row in rows:
        kind = _kind(row)
        if kind:
            found.setdefault(kind, {})[str(row["ActionId"])] = _named(row)
    return {kind: Digest(len(some), tuple(some.values())[:MOST_NAMED]) for kind, some in found.items()}


def subjects(one: Digest) -> tuple[int, frozenset[tuple[str, str]]]:
    """What it is about, whatever run said so."""
    return one.total, frozenset((each.action_id, each.guard) for each in one.actions)


def merged(one: Mapping[str, Digest], other: Mapping[str, Digest]) -> dict[str, Digest]:
    return {kind: one.get(kind, Digest()) + other.get(kind, Digest()) for kind in sorted({*one, *other})}


def of_run(run: str, workspace: str, mode: str, some: Mapping[str, Digest], tenant: str) -> Iterator[OfRun]:
    """A run may have something to tell later: how a change ended that was open, or the resync of keys. That is an event
    of its own, with an id of its own, since whoever drops what comes twice must not drop it.
    """
    for kind, one in some.items():
        data = Remediations(mode, one.total, one.actions, 0, run, "", workspace)
        about = "|".join((run, *sorted(each.action_id for each in one.actions)))
        yield _fitting(kind, about, workspace or f"runs/{run}", data, tenant)


def of_sweep(sweep: str, mode: str, some: Mapping[str, Digest], tenant: str) -> Iterator[OfRun]:
    for kind, one in some.items():
        data = Remediations(mode, one.total, one.actions, 0, "", sweep)
        yield _fitting(kind, sweep, f"sweeps/{sweep}", data, tenant)


def sweep_end(data: SweepEnd, tenant: str, *, whole: bool) -> SweepCompleted | SweepIncomplete:
    kind = SweepCompleted if whole else SweepIncomplete
    head = _head(data.sweep, kind.__name__, f"sweeps/{data.sweep}", tenant)
    return kind(**head, data=data)


def encode(event: Event) -> bytes:
    return msgspec.json.encode(event)


def schema() -> Mapping[str, Any]:
    """JSON Schema of all events."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://amlguard.invalid/schemas/events.schema.json",
        "title": "The CloudEvents that amlguard sends to a topic of Event Grid",
        **msgspec.json.schema(Event),
    }


def types() -> Sequence[str]:
    return [str(kind.__struct_config__.tag) for kind in (*_KINDS.values(), SweepCompleted, SweepIncomplete)]


def _kind(row: Row) -> str:
    """Empty if nobody is told: what was there already, what the policy itself withholds, what is not at its end."""
    outcome, guard = row["Outcome"], row.get("Guard") or ""
    if outcome == Phase.APPLIED:
        return "" if row.get("Found") else Applied.__name__
    if outcome == Phase.FAILED:
        return Failed.__name__
    if outcome != Phase.WITHHELD or guard in WANTED:
        return ""
    known: Mapping[str, type[OfRun]] = {Guard.APPROVAL: ApprovalNeeded, Guard.CONTESTED: Contested}
    return known.get(guard, Withheld).__name__


def _named(row: Row) -> Named:
    return Named(*(_short(str(row.get(name) or "")) for name in _COLUMNS))


def _short(text: str) -> str:
    """The end stays: that of a reason may have a command."""
    half = _MOST_LETTERS // 2
    return text if len(text) <= _MOST_LETTERS else f"{text[:half]} … {text[-half:]}"


def _fitting(kind: str, about: str, subject: str, data: Remediations, tenant: str) -> OfRun:
    """With as many actions as a message of the queue holds."""
    named = len(data.actions)
    while True:
        cut = msgspec.structs.replace(data, actions=data.actions[:named], not_named=data.total - named)
        event = _KINDS[kind](**_head(about, kind, subject, tenant), data=cut)
        if len(encode(event)) <= _MOST_BYTES or not named:
            return event
        named = named * 3 // 4


def _head(about: str, kind: str, subject: str, tenant: str) -> dict[str, Any]:
    identifier = str(uuid.uuid5(_IDS, f"{about}|{kind}"))
    return {"id": identifier, "source": f"urn:amlguard:{tenant}", "subject": subject, "time": datetime.now(UTC)}
