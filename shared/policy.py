"""The policy file: YAML. Every key is optional. An unknown key is an error that names its path."""

# long: the keys of the policy file, each with what it means, and how the file is read, are one form
import re
from collections.abc import Hashable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import Meta, Struct

from shared.access.needs import SCORE_AND_MANAGE
from shared.access.preferences import Builders, People, Preferences, Serverless
from shared.access.privileged import PRIVILEGED
from shared.access.rules import RULES
from shared.access.scope import InvalidScopeError, Scope
from shared.access.terms import Boundary, Caps, Exemption, RuleMode, RuleTerms, RunMode, Terms

_GUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")


_MOST_BYTES = 1024 * 1024


class PolicyError(ValueError):
    """The policy file is wrong. The message names the file, the path in it, and what would be right."""


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    pass


type _Guid = Annotated[str, Meta(pattern=_GUID.pattern, description="a GUID")]


class Trust(Part, frozen=True):
    boundary: Annotated[Boundary, Meta(description="the boundary within which a workspace may use what it names")] = (
        Boundary.RESOURCE_GROUP
    )
    allow: Annotated[
        tuple[str, ...], Meta(description="scopes outside the boundary whose resources and identities may also be used")
    ] = ()
    caller_must_hold: Annotated[
        bool, Meta(description="grants only what the event's caller already holds there or may assign")
    ] = False


class RuleSwitch(Part, frozen=True):
    enabled: Annotated[bool | None, Meta(description="turns an F? rule on, or any rule off")] = None
    mode: Annotated[
        RuleMode | None, Meta(description="report withholds and records; approve withholds until a person releases")
    ] = None


class PolicyExemption(Part, frozen=True):
    rules: Annotated[tuple[str, ...], Meta(min_length=1, description="AML-ids or rule names")]
    until: Annotated[date, Meta(description="the last day on which it applies")]
    reason: Annotated[str, Meta(min_length=1)]
    scope: Annotated[str | None, Meta(description="the resource, or any scope above it")] = None
    tag: Annotated[
        dict[str, str],
        Meta(max_length=1, description="exempts what carries the tag; whoever may set it can then opt out"),
    ] = {}


class PolicyCaps(Part, frozen=True):
    per_run: Annotated[int, Meta(ge=0, description="changes that one run may make in a workspace")] = 50
    per_hour: Annotated[int, Meta(ge=0, description="changes in one hour, all instances together")] = 200
    per_target: Annotated[int, Meta(ge=0, description="of these, changes at one resource")] = 100


class EvidenceTerms(Part, frozen=True):
    look_back_days: Annotated[int, Meta(ge=1, le=730, description="how many days back the logs count")] = 30
    required: Annotated[bool, Meta(description="keep the admin user on if the logs cannot be read")] = False


class RegistryTerms(Part, frozen=True):
    anonymous_pull: Annotated[bool, Meta(description="whether anybody may pull without signing in")] = False
    public_network_access: Annotated[
        bool | None, Meta(description="whether it may be on; by default if the workspace's own is")
    ] = None
    zone_redundancy: Annotated[bool, Meta(description="whether it must be on")] = False
    retention_days: (
        Annotated[int, Meta(ge=0, le=365, description="untagged manifests are deleted after at most this many days")]
        | None
    ) = None


class PeopleTerms(Part, frozen=True):
    groups: Annotated[tuple[_Guid, ...], Meta(min_length=1, description="object ids of Entra groups")]
    role: Annotated[str, Meta(description="data_scientist, or a role definition's GUID (a scorer's custom role)")]
    scopes: Annotated[tuple[str, ...], Meta(description="workspaces, or scopes above them")] = ()
    tags: Annotated[dict[str, str], Meta(description="tags that a workspace must carry, all of them")] = {}


class Policy(Part, frozen=True):
    """What amlguard may do, where, and for whom."""

    mode: Annotated[RunMode, Meta(description="what the triggers do; report changes nothing")] = RunMode.REPORT
    scopes: Annotated[
        tuple[str, ...],
        Meta(
            description="what amlguard watches: management groups, subscriptions, resource groups, workspaces, or "
            "resources that workspaces use; without any, everything that the identity can read"
        ),
    ] = ()
    settle_minutes: Annotated[
        float, Meta(ge=0, le=7 * 24 * 60, description="how old grants must be before the admin user goes off")
    ] = 15
    trust: Trust = Trust()
    rules: Annotated[dict[str, RuleSwitch], Meta(description="by AML-id or rule name")] = {}
    exemptions: tuple[PolicyExemption, ...] = ()
    caps: PolicyCaps = PolicyCaps()
    evidence: EvidenceTerms = EvidenceTerms()
    serverless: Annotated[
        Serverless,
        Meta(description="when a workspace counts as using serverless compute: by its jobs, always or never"),
    ] = Serverless.JOBS
    builders: Annotated[
        Builders,
        Meta(description="what identities that build images get: Contributor, or AcrPush and Tasks Contributor"),
    ] = Builders.CONTRIBUTOR
    registries: Annotated[RegistryTerms, Meta(description="how the workspaces' registries must be set (AML-79)")] = (
        RegistryTerms()
    )
    people: Annotated[tuple[PeopleTerms, ...], Meta(description="groups that hold a role on workspaces (AML-44)")] = ()
    contested_after: Annotated[
        int, Meta(ge=1, description="stop making a change that was reverted this often in a week")
    ] = 3
    approval_hours: Annotated[
        float, Meta(gt=0, le=24 * 30, description="after how many hours a request for approval lapses")
    ] = 72

    def terms(self) -> Terms:
        """Raises `PolicyError` for a rule that does not exist or a scope that is not an ARM id."""
        return Terms(
            table=RULES,
            mode=self.mode,
            scopes=_scopes(self.scopes, "scopes"),
            settle=timedelta(minutes=self.settle_minutes),
            boundary=self.trust.boundary,
            allow=_scopes(self.trust.allow, "trust.allow"),
            rules=_rules(self.rules),
            exemptions=tuple(_exemption(e, f"exemptions[{i}]") for i, e in enumerate(self.exemptions)),
            caps=Caps(self.caps.per_run, self.caps.per_hour, self.caps.per_target),
            caller_must_hold=self.trust.caller_must_hold,
            contested_after=self.contested_after,
            approval_lapses=timedelta(hours=self.approval_hours),
            people=tuple(_people(one, f"people[{i}]") for i, one in enumerate(self.people)),
            preferences=Preferences(
                self.registries.anonymous_pull,
                self.registries.public_network_access,
                self.registries.zone_redundancy,
                self.registries.retention_days,
                self.evidence.look_back_days,
                self.evidence.required,
                self.serverless,
                self.builders,
            ),
        )


# How PyYAML fails at a scalar that its form or its tag calls a date, a number or a truth.
_NO_VALUE = (ValueError, LookupError, AttributeError)


class Loader(yaml.SafeLoader):
    """Refuses a key that occurs twice, because the second would silently replace the first.

    It also refuses aliases: a few lines of them may stand for more than any memory holds.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # types-PyYAML leaves the parser out
            raise yaml.composer.ComposerError(
                None, None, f"*{event.anchor} refers to another place: write out what stands there", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is there twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def load(path: Path) -> Policy:
    """Raises `PolicyError`, also when the file cannot be read."""
    try:
        return parse(decoded(path.read_bytes()))
    except (OSError, PolicyError) as error:
        raise PolicyError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def decoded(data: bytes) -> str:
    if len(data) > _MOST_BYTES:
        raise PolicyError(f"it has {len(data):,} bytes, and a policy has at most {_MOST_BYTES:,}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolicyError(f"not UTF-8 (byte {error.start}): save it as UTF-8") from error


def parse(text: str) -> Policy:
    policy = convert(document(text))
    policy.terms()
    return policy


def document(text: str) -> Any:
    """What the file says, as it says it."""
    try:
        return yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise PolicyError(f"not YAML: {error}") from error
    except RecursionError as error:
        raise PolicyError("nested too deeply") from error
    except _NO_VALUE as error:
        why = f": {error}" if isinstance(error, ValueError) else ""
        raise PolicyError(f"it holds a date, a number or a tag (!!) that is none{why}") from error


def convert(said: Any) -> Policy:
    """Raises `PolicyError` at the first value that cannot stand where it stands."""
    try:
        return msgspec.convert({} if said is None else said, Policy)
    except UnicodeEncodeError as error:
        raise PolicyError("it holds half of a character (a lone surrogate)") from error
    except msgspec.ValidationError as error:
        raise PolicyError(_wrong_rule(said) or _readable(str(error))) from error


def schema() -> Mapping[str, Any]:
    """JSON Schema of the policy file, for editors."""
    return msgspec.json.schema(Policy)


def _wrong_rule(document: object) -> str | None:
    """Msgspec does not name the key of a wrong entry in a mapping, but people want to know which rule it is."""
    rules = document.get("rules") if isinstance(document, dict) else None
    for name, rule in rules.items() if isinstance(rules, dict) else ():
        try:
            msgspec.convert(rule, RuleSwitch)
        except msgspec.ValidationError as error:
            what, _, below = str(error).partition(" - at ")
            return _readable(f"{what} - at `$.rules.{name}{below.strip('`').removeprefix('$')}`")
    return None


def _readable(message: str) -> str:
    """`Object contains unknown field `x` - at `$.trust`` → `trust: unknown key x`."""
    what, _, path = message.partition(" - at ")
    where = path.strip("`").removeprefix("$").lstrip(".")
    what = what.replace("Object contains unknown field ", "unknown key ").replace(
        "Object missing required field ", "missing key "
    )
    return f"{where}: {what}" if where else what


def _scopes(texts: tuple[str, ...], path: str) -> tuple[Scope, ...]:
    return tuple(_scope(text, f"{path}[{i}]") for i, text in enumerate(texts))


def _scope(text: str, path: str) -> Scope:
    try:
        return Scope.parse(text)
    except InvalidScopeError as error:
        raise PolicyError(f"{path}: {error}") from error


def _rules(said: Mapping[str, RuleSwitch]) -> dict[str, RuleTerms]:
    terms: dict[str, RuleTerms] = {}
    for name, rule in said.items():
        key = _rule(name, "rules")
        if key in terms:
            raise PolicyError(f"rules: {name} is there twice")
        terms[key] = RuleTerms(rule.enabled, rule.mode)
    return terms


def _rule(name: str, path: str) -> str:
    known = {known.casefold() for rule in RULES for known in (rule.name, *rule.requirements, *rule.also)}
    if name.casefold() not in known:
        raise PolicyError(f"{path}: no rule {name!r}; `amlguard rules` lists them")
    return name.casefold()


def _exemption(part: PolicyExemption, path: str) -> Exemption:
    if part.scope is None and not part.tag:
        raise PolicyError(f"{path}: name the resources by scope, tag or both")
    rules = frozenset(_rule(name, f"{path}.rules") for name in part.rules)
    scope = _scope(part.scope, f"{path}.scope") if part.scope is not None else None
    return Exemption(scope, rules, part.until, part.reason, next(iter(part.tag.items()), None))


# amlguard makes no group an Owner, and gives no group a role that hands out access (PRIVILEGED).
_NEVER = PRIVILEGED | {"b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor"}


def _people(part: PeopleTerms, path: str) -> People:
    role = SCORE_AND_MANAGE.role_id if part.role == "data_scientist" else part.role.casefold()
    if not _GUID.fullmatch(role):
        raise PolicyError(f"{path}.role: data_scientist, or the GUID of a role definition")
    if role in _NEVER:
        raise PolicyError(f"{path}.role: amlguard makes no group {_NEVER[role]}")
    if not part.scopes and not part.tags:
        raise PolicyError(f"{path}: name the workspaces by scopes, tags or both")
    name = SCORE_AND_MANAGE.role_name if role == SCORE_AND_MANAGE.role_id else role
    groups = tuple(group.casefold() for group in part.groups)
    return People(groups, role, name, _scopes(part.scopes, f"{path}.scopes"), tuple(part.tags.items()))
