"""The truth table's deny assignments: each as Azure PowerShell recorded them (version 2018-07-01-preview) and as
Microsoft's documents write them today."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tenants import ACR_PULL, Tenant, oid
from truth_needs import CASES, ELSEWHERE, LANDING, PLATFORM, Case, Need, pull

type Json = dict[str, Any]
type Form = Callable[[str, str], Json]

_ALL = "all principals"
_PULL = "Microsoft.ContainerRegistry/registries/pull/read"
_ANOTHER = oid("somebody else")
_IF = "@Resource[Microsoft.ContainerRegistry/registries:name] StringEquals 'acrml'"


def _recorded(who: str, kind: str) -> Json:
    if who == _ALL:
        return {"id": "0" * 32, "type": "Everyone"}
    return {"id": who.replace("-", "").upper(), "type": kind}


def _today(who: str, kind: str) -> Json:
    if who == _ALL:
        return {"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}
    return {"id": who, "type": kind}


@dataclass(frozen=True)
class Deny:
    """Principals and exclusions are `me`, `another`, `all`, `my group`, `outer` (which holds my group), `another's`."""

    outcome: str
    principals: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    at: Callable[[Need], str] = lambda need: need.group
    changed: Mapping[str, Any] | None = None
    """Properties that are otherwise."""


def _block(*actions: str, but: str = "", data: str = "") -> list[Json]:
    lists = {"actions": [*actions], "notActions": [but], "dataActions": [data], "notDataActions": [""]}
    return [{key: [name for name in names if name] for key, names in lists.items()}]


_DENIES = {
    "named": Deny("withheld", ("me",)),
    "named_at_the_registry_only": Deny(
        "withheld", ("me",), at=lambda n: n.scope, changed={"doNotApplyToChildScopes": True}
    ),
    "named_at_the_group_only": Deny("granted", ("me",), changed={"doNotApplyToChildScopes": True}),
    "named_below": Deny("granted", ("me",), at=lambda n: f"{n.scope}/webhooks/w"),
    "named_next_door": Deny("granted", ("me",), at=lambda n: f"{n.group}-prod"),
    "named_by_the_management_group": Deny("withheld", ("me",), at=lambda _: LANDING),
    "named_further_up": Deny("withheld", ("me",), at=lambda _: PLATFORM),
    "named_elsewhere": Deny("granted", ("me",), at=lambda _: ELSEWHERE),
    "named_at_the_root": Deny("withheld", ("me",), at=lambda _: "/"),
    "named_and_excluded": Deny("granted", ("me",), ("me",)),
    "another": Deny("granted", ("another",)),
    "everyone": Deny("withheld", ("all",)),
    "everyone_but_another": Deny("withheld", ("all",), ("another",)),
    "everyone_but_me": Deny("granted", ("all",), ("another", "me")),
    "everyone_but_my_group": Deny("withheld", ("all",), ("my group",)),
    "everyone_but_anothers_group": Deny("withheld", ("all",), ("another's",)),
    "group": Deny("withheld", ("my group",)),
    "group_of_my_group": Deny("withheld", ("outer",)),
    "group_but_me": Deny("granted", ("my group",), ("me",)),
    "group_of_another": Deny("granted", ("another's",)),
    "group_by_the_management_group": Deny("withheld", ("my group",), at=lambda _: LANDING),
    "under_a_condition": Deny("withheld", ("me",), changed={"condition": _IF, "conditionVersion": "2.0"}),
    "audited": Deny("granted", ("me",), changed={"denyAssignmentEffect": "audit"}),
    "all_but_reading": Deny("granted", ("all",), changed={"permissions": _block(_PULL, but="*/pull/read")}),
    "data_only": Deny("granted", ("me",), changed={"permissions": _block(data="*")}),
    "held_but_denied": Deny("withheld", ("all",), ("another",)),
    "held_and_excluded": Deny("held", ("all",), ("me",)),
    "held_and_not_in_the_group": Deny("held", ("another's",)),
}


def _build(tenant: Tenant, name: str, *, deny: Deny, form: Form) -> Need:
    need = pull(tenant, name)
    if "_held_" in name:
        tenant.assign(need.scope, need.principal, ACR_PULL)
    mine = tenant.group(f"{name} mine", need.principal)
    groups = {
        "my group": mine,
        "outer": tenant.group(f"{name} outer", mine),
        "another's": tenant.group(f"{name} of another", _ANOTHER),
    }
    kinds = {"me": (need.principal, "ServicePrincipal"), "another": (_ANOTHER, "User"), "all": (_ALL, "")}
    kinds |= {group: (oid_, "Group") for group, oid_ in groups.items()}
    written = tenant.deny(deny.at(need), need.principal, actions=[_PULL])
    written["properties"] |= {
        "principals": [form(*kinds[one]) for one in deny.principals],
        "excludePrincipals": [form(*kinds[one]) for one in deny.excluded],
        **(deny.changed or {}),
    }
    return replace(need, guard="deny-assignment") if deny.outcome == "withheld" else need


def add_denies() -> None:
    """To the table: a case of each, in each form."""
    for form in (_recorded, _today):
        for name, deny in _DENIES.items():
            build = partial(_build, deny=deny, form=form)
            CASES.append(Case(f"deny{form.__name__}_{name}", deny.outcome, build))
