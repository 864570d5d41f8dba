"""Does the story end as it must? Each check lists what differs, so an empty list means that all is well."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from demo import expected
from demo.audit import Row
from demo.ending import Ending
from demo.places import readable, short
from demo.roles import role_name
from demo.story_clock import parsed
from demo.tenant import SETTLE_MINUTES

type Json = dict[str, Any]
type Check = tuple[str, list[str]]

_OUTCOMES = {"Applied", "Failed"}
_PERSONAL = ("@contoso.example", "203.0.113.7", "Operator")


def checks(ending: Ending) -> list[Check]:
    """The title of each check, and what differs."""
    return [(title, list(check(ending))) for title, check in _CHECKS.items()]


def _everything_seen(ending: Ending) -> Iterable[str]:
    return ending.missed


def _grants(ending: Ending) -> Iterator[str]:
    made = Counter(
        (
            ending.names.of(one["properties"]["principalId"]),
            role_name(one["properties"]["roleDefinitionId"]),
            ending.known_as(one["properties"]["scope"]),
        )
        for one in ending.made_by_app()
    )
    yield from _differences(dict.fromkeys(expected.GRANTS, 1), made, "was not granted", "should not have been granted")


def _others_untouched(ending: Ending) -> Iterator[str]:
    for one in ending.assignments:
        properties = one["properties"]
        if properties.get("createdBy") != ending.app and properties.get("updatedBy") == ending.app:
            yield f"amlguard changed an assignment that it did not make: {one['id']}"
    for write in ending.writes:
        if write["method"] == "DELETE":
            yield f"amlguard deleted {write['path']}"


def _admin_users(ending: Ending) -> Iterator[str]:
    for known, on in expected.ADMIN_USERS.items():
        registry = ending.registries.get(known)
        if registry is None:
            yield f"{known} is not there"
        elif registry["properties"]["adminUserEnabled"] is not on:
            yield f"the admin user of {short(registry['id'])} is {'off' if on else 'on'}"


def _grant_before_revoke(ending: Ending) -> Iterator[str]:
    """On ARM's clock, amlguard's grants at a registry had the settle time to take effect before the switch-off."""
    settle = timedelta(minutes=SETTLE_MINUTES)
    for write in _of(ending, "PATCH"):
        registry, off = _path(write), parsed(write["time"])
        ages = [off - ending.clock.azure(row["TimeGenerated"]) for row in _granted_at(ending, registry)]
        if ages and max(ages) < timedelta():
            yield f"{short(registry)} was switched off before anything was granted"
        yield from (
            f"{short(registry)} was switched off {age} after a grant, not {settle}"
            for age in ages
            if _young(age, settle)
        )


def _young(age: timedelta, settle: timedelta) -> bool:
    """A grant after the switch-off (a negative age) does not count here."""
    return timedelta() <= age < settle


def _granted_at(ending: Ending, scope: str) -> list[Row]:
    return [
        row
        for row in ending.remediations
        if _made(row) and row["Action"] == "Grant" and row["Scope"].lower() == scope.lower()
    ]


def _made(row: Row) -> bool:
    """Leaves out what amlguard found there already, because it did not make that."""
    return row["Outcome"] == "Applied" and not row["Found"]


def _switched_off_and_resynced(ending: Ending) -> Iterator[str]:
    """Switched off and then resynced, once each, and nothing else was switched off or resynced."""
    switched = [(ending.known_as(_path(write)), write) for write in _of(ending, "PATCH")]
    resynced = [(_path(write).removesuffix("/resyncKeys"), write) for write in _of(ending, "POST")]
    wanted = expected.SWITCHED_OFF
    yield from _differences(
        dict.fromkeys(wanted, 1), Counter(known for known, _ in switched), "was not switched off", "was switched off"
    )
    yield from _differences(
        dict.fromkeys(wanted.values(), 1), Counter(known for known, _ in resynced), "was not resynced", "was resynced"
    )
    off, fresh = dict(switched), dict(resynced)
    for registry, workspace in wanted.items():
        if registry in off and workspace in fresh and fresh[workspace]["time"] <= off[registry]["time"]:
            yield f"{short(workspace)} was resynced before the admin user was off"


def _findings(ending: Ending) -> Iterator[str]:
    said = {(row["ResourceId"], row["RuleId"]): row["Message"] for row in ending.findings}
    yield from _words(expected.FINDINGS, said, "reported")


def _withheld(ending: Ending) -> Iterator[str]:
    said = {
        (row["ResourceId"], row["RuleId"], row["Guard"]): row["Reason"]
        for row in ending.remediations
        if row["Outcome"] == "Withheld"
    }
    yield from _words(expected.WITHHELD, said, "withheld")


def _on_record(ending: Ending) -> Iterator[str]:
    """Each write has one Planned row before it and one outcome after it, of the same run."""
    written = _grouped((_written_key(write), write) for write in ending.writes)
    planned = _grouped((_row_key(row), row) for row in ending.remediations if row["Outcome"] == "Planned")
    done = _grouped((_row_key(row), row) for row in ending.remediations if row["Outcome"] in _OUTCOMES)
    for key in sorted(written.keys() | planned.keys() | done.keys()):
        writes, before, after = (each.get(key, []) for each in (written, planned, done))
        if not len(writes) == len(before) == len(after):
            yield f"{readable(key)}: {len(writes)} writes, {len(before)} Planned rows, {len(after)} outcomes"
            continue
        for write, plan, outcome in zip(writes, before, after, strict=True):
            moment = ending.clock.real(parsed(write["time"]))
            if plan["RunId"] != outcome["RunId"]:
                yield f"{readable(key)}: Planned and {outcome['Outcome']} are of different runs"
            if not plan["TimeGenerated"] <= moment <= outcome["TimeGenerated"]:
                times = f"planned {plan['TimeGenerated']}, written {moment}, done {outcome['TimeGenerated']}"
                yield f"{readable(key)}: {times}"


def _nothing_failed(ending: Ending) -> Iterator[str]:
    for row in ending.remediations:
        if row["Outcome"] == "Failed":
            yield f"{row['RuleId']} failed at {row['ResourceId']}: {row['Reason']}"
    refused = [one for one in ending.requests if one["caller"] == ending.app and not 200 <= one["status"] < 300]
    unanswered = [one for one in ending.attempts if not 200 <= (one["status"] or 0) < 300]
    yield from _tallied(f"{one['method']} {_path(one)} was answered {one['status']}" for one in refused)
    yield from _tallied(
        f"the event about {short(one['event']['subject'])} was answered {one['status']}" for one in unanswered
    )


def _tallied(lines: Iterable[str]) -> Iterator[str]:
    for line, times in Counter(lines).items():
        yield line if times == 1 else f"{line}, {times} times"


def _repeats(ending: Ending) -> Iterator[str]:
    if ending.repeats_wrote is None:
        yield "no event was repeated"
    elif ending.repeats_wrote:
        yield f"repeated events led to {ending.repeats_wrote} writes"


def _nothing_personal(ending: Ending) -> Iterator[str]:
    for row in (*ending.remediations, *ending.findings):
        text = json.dumps(row, default=str)
        yield from (f"{word!r} is in the record of run {row['RunId']}" for word in _PERSONAL if word in text)


_CHECKS: Mapping[str, Callable[[Ending], Iterable[str]]] = {
    "everything that should happen was seen to happen": _everything_seen,
    "amlguard granted exactly what it should have": _grants,
    "what others granted was left alone": _others_untouched,
    "admin users are off, except on the registry that amlguard may not touch": _admin_users,
    f"no admin user went off within {SETTLE_MINUTES} minutes of a grant": _grant_before_revoke,
    "keys were resynced after each switch-off, and only then": _switched_off_and_resynced,
    "what people must decide was reported, and nothing else": _findings,
    "what the policy does not allow was withheld, with the line that would allow it": _withheld,
    "every change has one intent on record before it, and one outcome after it": _on_record,
    "repeated events, in reverse order, changed nothing": _repeats,
    "nothing failed, and every event was answered": _nothing_failed,
    "no name or address of a person is in the records": _nothing_personal,
}


def _differences(wanted: Mapping[Any, int], found: Mapping[Any, int], missing: str, surplus: str) -> Iterator[str]:
    for key in sorted(wanted.keys() | found.keys(), key=str):
        if found.get(key, 0) < wanted.get(key, 0):
            yield f"{_named(key)} {missing}"
        elif found.get(key, 0) > wanted.get(key, 0):
            yield f"{_named(key)} {surplus} ({found[key]} times, expected {wanted.get(key, 0)})"


def _words(wanted: Mapping[Any, str], said: Mapping[Any, str], verb: str) -> Iterator[str]:
    for key in sorted(wanted.keys() | said.keys(), key=str):
        if key not in said:
            yield f"{_named(key)} was not {verb}"
        elif key not in wanted:
            yield f"{_named(key)} was {verb}, unexpectedly: {said[key]}"
        elif wanted[key] not in said[key]:
            yield f"{_named(key)} was {verb}, but not because “{wanted[key]}”: {said[key]}"


def _named(key: Sequence[str] | str) -> str:
    parts = [key] if isinstance(key, str) else key
    return ", ".join(short(part) if part.startswith("/") else part for part in parts)


def _of(ending: Ending, method: str) -> list[Json]:
    return [write for write in ending.writes if write["method"] == method]


def _path(write: Json) -> str:
    return str(write["path"]).partition("?")[0]


def _written_key(write: Json) -> str:
    return f"{write['method']} {_path(write)}".lower()


def _row_key(row: Row) -> str:
    """The write that a row is about, in the form of `_written_key`."""
    if row["Action"] == "Grant":
        return f"put {row['RoleAssignmentId']}".lower()
    request = {
        "adminUserEnabled": "patch {}",
        "cachedKeys": "post {}/resynckeys",
        "accessPolicies": "put {}/accesspolicies/add",
    }
    return request[row["Property"]].format(row["ResourceId"].lower())


def _grouped[T](pairs: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    grouped: dict[str, list[T]] = {}
    for key, value in pairs:
        grouped.setdefault(key, []).append(value)
    return grouped
