"""The timeline: what was seen, as entries, each with the moment at which it happened."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from demo.audit import Row
from demo.names import Names
from demo.places import readable, short
from demo.roles import role_name
from demo.story_clock import StoryClock, parsed
from demo.world import World

type Json = dict[str, Any]

_AML_ROLE = "Azure Machine Learning"
_WILL = {
    "grant": "grant",
    "adminUserEnabled": "turn off the admin user of",
    "cachedKeys": "resync the cached keys of",
    "accessPolicies": "add an access policy to",
    "": "look at",
}
_HAS = {
    "grant": "granted",
    "adminUserEnabled": "turned off the admin user of",
    "cachedKeys": "resynced the cached keys of",
    "accessPolicies": "added an access policy to",
}
_STYLES = {"Applied": "bold", "Withheld": "yellow", "Failed": "bold red"}
_WATCHED = ("microsoft.machinelearningservices/", "microsoft.containerregistry/")


@dataclass(frozen=True, slots=True)
class Entry:
    """`at` is real time. An entry whose `key` was shown already is not shown again."""

    at: datetime
    key: str
    who: str
    text: str
    more: str = ""
    style: str = ""


class Timeline:
    def __init__(self, clock: StoryClock, names: Names, app: str) -> None:
        self._clock = clock
        self._names = names
        self._app = app
        self._shown: set[str] = set()

    def fresh(self, world: World, since: datetime, until: datetime) -> list[Entry]:
        """The entries of this interval that were not returned before, in the order in which they happened."""
        entries = [*self._aml(world), *self._deliveries(world), *self._records(world), *self._findings(world)]
        new = [entry for entry in entries if since <= entry.at < until and entry.key not in self._shown]
        first = {entry.key: entry for entry in sorted(new, key=lambda entry: entry.at, reverse=True)}
        self._shown |= first.keys()
        return sorted(first.values(), key=lambda entry: entry.at)

    def _aml(self, world: World) -> Iterator[Entry]:
        """What AML does by itself, as the events about its writes tell."""
        for event in {attempt["event"]["id"]: attempt["event"] for attempt in world.attempts}.values():
            text = self._by_aml(event, world)
            if text:
                yield Entry(self._clock.real(parsed(event["eventTime"])), f"aml {event['id']}", "AML", text)

    def _by_aml(self, event: Json, world: World) -> str | None:
        if not made_by_aml(event):
            return None
        subject, operation = event["subject"], event["data"]["operationName"].lower()
        assignment = world.assignments.get(subject.lower())
        if assignment:
            properties = assignment["properties"]
            who = self._names.of(properties["principalId"])
            return f"grants {role_name(properties['roleDefinitionId'])} on {short(properties['scope'])} to {who}"
        if operation == "microsoft.containerregistry/registries/write":
            return f"makes {short(subject)}, with its admin user on"
        if operation == "microsoft.machinelearningservices/workspaces/write":
            return f"enters the registry in {short(subject)}"
        return None

    def _deliveries(self, world: World) -> Iterator[Entry]:
        """Deliveries that lead to a look. Events about amlguard's own writes do not."""
        latest, delivered = "", set[str]()
        for place, attempt in enumerate(world.attempts):
            event = attempt["event"]
            again, overtaken = event["id"] in delivered, event["eventTime"] < latest
            latest, delivered = max(latest, event["eventTime"]), delivered | {event["id"]}
            if not self._leads_somewhere(event):
                continue
            more = "for the second time" if again else "out of order" if overtaken else ""
            more = f"attempt {attempt['attempt']}" if attempt["attempt"] > 1 else more
            verb = event["data"]["operationName"].rpartition("/")[2]
            text = f"delivers: {verb} of {short(event['subject'])}"
            yield Entry(self._clock.real(parsed(attempt["time"])), f"attempt {place}", "Event Grid", text, more)

    def _leads_somewhere(self, event: Json) -> bool:
        operation = str(event["data"]["operationName"]).lower()
        if caller(event) == self._app:
            return False
        return operation.startswith(_WATCHED) or operation == "microsoft.authorization/roleassignments/delete"

    def _records(self, world: World) -> Iterator[Entry]:
        for row in world.remediations:
            outcome = row["Outcome"]
            key = f"{row['ActionId']} {outcome} {row['Guard']}"
            if outcome in ("Planned", "Applied", "Failed"):
                key += row["RunId"]
            text, more = self._record(row)
            yield Entry(row["TimeGenerated"], key, "amlguard", text, more, _STYLES.get(outcome, ""))

    def _record(self, row: Row) -> tuple[str, str]:
        why = readable(row["Reason"])
        match row["Outcome"]:
            case "Planned":
                return f"will {self._action(row, _WILL)}", f"{why} [{_rule(row)}]"
            case "Applied" if row["Found"]:
                return f"finds done: {self._action(row, _WILL)}", f"{why} [{_rule(row)}]"
            case "Applied":
                return f"has {self._action(row, _HAS)}", f"in {row['DurationMs']} ms"
            case "Withheld":
                return f"does not {self._action(row, _WILL)}", f"{why} [{row['Guard']}]"
            case "Deferred":
                return f"waits to {self._action(row, _WILL)}", why
            case other:
                return f"{other}: {self._action(row, _WILL)}", why

    def _action(self, row: Row, verbs: Mapping[str, str]) -> str:
        if row["Action"] == "Grant":
            who, role = self._names.of(row["PrincipalId"]), role_name(row["RoleDefinitionId"])
            return f"{verbs['grant']} {role} on {short(row['Scope'])} to {who}"
        return f"{verbs[row['Property']]} {short(row['ResourceId'])}"

    def _findings(self, world: World) -> Iterator[Entry]:
        for row in world.findings:
            remedy = f"{readable(row['Remedy'])} " if row["Severity"] == "high" else ""
            text, more = f"reports: {readable(row['Message'])}", f"{remedy}[{_rule(row)}]"
            yield Entry(row["TimeGenerated"], f"finding {row['FindingId']}", "amlguard", text, more, "yellow")


def made_by_aml(event: Json) -> bool:
    return bool(event["data"]["authorization"]["evidence"].get("role") == _AML_ROLE)


def caller(event: Json) -> str:
    """The object id of whoever caused the event."""
    return str(event["data"]["claims"]["http://schemas.microsoft.com/identity/claims/objectidentifier"])


def _rule(row: Row) -> str:
    return ", ".join((row["RuleId"], *row["Requirements"]))
