"""Whom deny assignments concern: the truth table, in the recorded form and in today's, and whatever ARM's filter does.

Recorded (version 2018-07-01-preview): ids of 32 hex digits, some in upper case; Everyone by type and thirty-two zeros.
Documented today (learn.microsoft.com/azure/role-based-access-control/deny-assignments): dashes, type SystemDefined.
The recorded `assignedTo` either honours exclusions or leaves Everyone out, so both kinds of Azure are played here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.build import GROUP, MANAGEMENT_GROUP, REGISTRY, SUBSCRIPTION, WORKSPACE, access, assigned, guid

from shared.access.denies import concerning, deny_assignment, membership_decides
from shared.access.needs import PULL, READ_BLOBS
from shared.access.permissions import EVERYONE, DenyAssignment, coverage
from shared.access.raw import object_id
from shared.access.scope import Scope

ME, OTHER, MINE, OUTER, THEIRS = guid("me"), guid("other"), guid("mine"), guid("outer"), guid("theirs")
MEMBERS = {MINE: {ME}, OUTER: {MINE}, THEIRS: {OTHER}}
KINDS = {ME: "ServicePrincipal", OTHER: "User", **dict.fromkeys(MEMBERS, "Group")}
ALL = "all principals"

type Raw = dict[str, Any]
type Form = Callable[[str], Raw]
type Answers = Callable[[Raw, str], bool]


def _recorded(name: str) -> Raw:
    if name == ALL:
        return {"id": "0" * 32, "type": "Everyone"}
    return {"id": name.replace("-", "").upper(), "type": KINDS[name]}


def _today(name: str) -> Raw:
    if name == ALL:
        return {"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}
    return {"id": name, "type": KINDS[name], "displayName": "somebody"}


FORMS: Mapping[str, Form] = {
    "recorded": _recorded,
    "today": _today,
    "zeros with dashes": lambda name: {**_today(name), **({"type": "Everyone"} if name == ALL else {})},
    "zeros without": lambda name: {**_recorded(name), **({"type": "SystemDefined"} if name == ALL else {})},
    "lower case": lambda name: {**_recorded(name), "id": str(_recorded(name)["id"]).lower()},
}


def _identities(who: str) -> set[str]:
    direct = {group for group, members in MEMBERS.items() if who in members}
    return {who}.union(*map(_identities, direct))


def _ids(raw: Raw, key: str) -> set[str]:
    return {object_id(one["id"]) for one in raw["properties"][key]}


def _denies(raw: Raw, who: str) -> bool:
    """What Azure does: groups are expanded on both sides, and an exclusion wins."""
    named = _ids(raw, "principals") & (_identities(who) | {object_id("0" * 32)})
    return bool(named) and not _ids(raw, "excludePrincipals") & _identities(who)


def _leaves_everyone_out(raw: Raw, who: str) -> bool:
    return bool(_ids(raw, "principals") & _identities(who))


FILTERS: Mapping[str, Answers] = {"honours exclusions": _denies, "leaves Everyone out": _leaves_everyone_out}


def written(form: Form, principals: Iterable[str], excluded: Iterable[str] = (), **properties: Any) -> Raw:
    scope = properties.pop("scope", str(GROUP))
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/denyAssignments/{guid(f'{principals} {excluded}')}",
        "type": "Microsoft.Authorization/denyAssignments",
        "properties": {
            "denyAssignmentName": "D",
            "permissions": [{"actions": ["*/read"], "notActions": [], "dataActions": [], "notDataActions": []}],
            "scope": scope,
            "doNotApplyToChildScopes": False,
            "principals": [form(one) for one in principals],
            "excludePrincipals": [form(one) for one in excluded],
            "isSystemProtected": True,
            **properties,
        },
    }


def read(raw: Raw) -> DenyAssignment:
    found = deny_assignment(raw)
    assert found is not None
    return found


def seen(raws: Iterable[Raw], answers: Answers, who: str = ME) -> tuple[DenyAssignment, ...]:
    """As `holdings` reads them: the filtered list only where membership decides."""
    listed = [read(raw) for raw in raws]
    asked = membership_decides(who, listed)
    return concerning(who, listed, [read(raw) for raw in raws if answers(raw, who)] if asked else [])


def verdict(raw: Raw, answers: Answers, who: str = ME) -> str:
    found = seen([raw], answers, who)
    return ("unknown" if found[0].doubt else "denied") if found else "free"


@dataclass(frozen=True)
class Case:
    verdict: str
    principals: tuple[str, ...]
    excluded: tuple[str, ...] = ()


TABLE = {
    "named": Case("denied", (ME,)),
    "named among others": Case("denied", (OTHER, THEIRS, ME)),
    "another": Case("free", (OTHER,)),
    "everyone": Case("denied", (ALL,)),
    "everyone but another": Case("denied", (ALL,), (OTHER,)),
    "everyone but me": Case("free", (ALL,), (ME,)),
    "everyone but me and others": Case("free", (ALL,), (OTHER, THEIRS, ME)),
    "everyone but my group": Case("unknown", (ALL,), (MINE,)),
    "everyone but another's group": Case("unknown", (ALL,), (THEIRS,)),
    "named and excluded": Case("free", (ME,), (ME,)),
    "named, a group excluded": Case("unknown", (ME,), (THEIRS,)),
    "my group": Case("denied", (MINE,)),
    "a group that holds my group": Case("denied", (OUTER,)),
    "another's group": Case("free", (THEIRS,)),
    "my group but me": Case("free", (MINE,), (ME,)),
    "my group but another": Case("denied", (MINE,), (OTHER,)),
    "my group but another's group": Case("unknown", (MINE,), (THEIRS,)),
    "another's group but my group": Case("free", (THEIRS,), (MINE,)),
    "everyone and my group but me": Case("free", (ALL, MINE), (ME,)),
}


@pytest.mark.parametrize("answers", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_truth(case: Case, form: Form, answers: Answers) -> None:
    assert verdict(written(form, case.principals, case.excluded), answers) == case.verdict


names = st.sampled_from([ME, OTHER, MINE, OUTER, THEIRS, ALL])
excludable = st.sampled_from([ME, OTHER, MINE, OUTER, THEIRS])


@given(
    st.lists(names, min_size=1, max_size=4, unique=True),
    st.lists(excludable, max_size=3, unique=True),
    st.sampled_from([*FORMS.values()]),
    st.sampled_from([*FILTERS.values()]),
    st.sampled_from([ME, OTHER, MINE]),
)
def test_never_surer_than_azure(
    principals: list[str], excluded: list[str], form: Form, answers: Answers, who: str
) -> None:
    raw = written(form, principals, excluded)
    said = verdict(raw, answers, who)
    assert said in {"unknown", "denied" if _denies(raw, who) else "free"}
    if not set(excluded) & MEMBERS.keys():
        assert said != "unknown"


def test_arm_is_asked_about_groups_only() -> None:
    def asks(*raws: Raw) -> bool:
        return membership_decides(ME, [read(raw) for raw in raws])

    assert not asks()
    assert not asks(written(_today, [ALL], [OTHER]), written(_recorded, [ME, MINE]), written(_recorded, [OTHER]))
    assert not asks(written(_today, [MINE], [ME]))
    assert asks(written(_today, [ALL]), written(_recorded, [THEIRS]))


def _of_type(kind: Any, *, excluded: bool = False) -> Raw:
    """One whose principal or exclusion has a type that nobody recorded."""
    mine = {"id": MINE} | ({"type": kind} if kind is not None else {})
    raw = written(_today, [ALL] if excluded else [])
    raw["properties"]["excludePrincipals" if excluded else "principals"] = [mine]
    return raw


@pytest.mark.parametrize("kind", ["Group", "ForeignGroup", "DirectoryRoleTemplate", "Unknown", "", None, 7])
def test_what_is_no_user_and_no_service_principal_may_be_a_group(kind: Any) -> None:
    assert membership_decides(ME, [read(_of_type(kind))])
    assert verdict(_of_type(kind), _denies) == "denied"
    assert verdict(_of_type(kind, excluded=True), _denies) == "unknown"


def test_lists_that_disagree_are_unknown() -> None:
    groups = read(written(_today, [THEIRS]))
    of_another = read(written(_today, [OTHER]))
    new = read(written(_today, [MINE]))
    said = {one.id: one.doubt for one in concerning(ME, [groups, of_another], [of_another, new])}
    assert said.keys() == {of_another.id, new.id}
    assert all(said.values())


def test_whom_it_excludes_by_id_it_does_not_concern_whichever_list_has_it() -> None:
    mine = read(written(_today, [ALL], [ME]))
    assert concerning(ME, [mine], [mine]) == ()
    assert concerning(ME, [], [mine]) == ()


def test_nobody_named_and_everyone_excluded_is_unknown() -> None:
    assert verdict(written(_today, []), _denies) == "unknown"
    assert verdict(written(_today, [ALL], [ALL]), _denies) == "unknown"


@pytest.mark.parametrize("broken", [None, "text", 7, {}, {"properties": None}, {"properties": []}, {"properties": {}}])
def test_what_cannot_be_read_is_an_error(broken: Any) -> None:
    with pytest.raises(TypeError):
        deny_assignment(broken)


@pytest.mark.parametrize("properties", [None, "text", 7, []])
def test_one_without_properties_is_an_error_wherever_it_is(properties: Any) -> None:
    with pytest.raises(TypeError, match="has properties"):
        deny_assignment({**written(_today, [ALL]), "properties": properties})


@pytest.mark.parametrize("key", ["principals", "excludePrincipals", "permissions"])
@pytest.mark.parametrize("value", ["text", {"id": ME}, ["text"], [None], 7])
def test_a_list_that_is_none_is_an_error(key: str, value: Any) -> None:
    raw = written(_today, [ALL])
    with pytest.raises(TypeError, match=f"{key} is a list of objects"):
        deny_assignment({**raw, "properties": raw["properties"] | {key: value}})


def test_effects() -> None:
    """Version 2024-07-01-preview: `enforced` blocks, `audit` only logs."""
    assert deny_assignment(written(_today, [ALL], denyAssignmentEffect="Audit")) is None
    assert verdict(written(_today, [ALL], denyAssignmentEffect="Enforced"), _denies) == "denied"
    assert verdict(written(_today, [ALL], denyAssignmentEffect="something new"), _denies) == "unknown"
    assert verdict(written(_today, [ALL], [ME], denyAssignmentEffect="something new"), _denies) == "free"


# What it takes away, and where


def _cover(*raws: Raw, held: Scope = SUBSCRIPTION) -> str:
    me = assigned("me", "Reader", held)
    cover = coverage(PULL.permissions, REGISTRY, access(me, denies=seen(raws, _denies)))
    return "held" if cover.held else "unknown" if all(deny.doubt for deny in cover.denied_by) else "denied"


def _block(**block: Any) -> Raw:
    return {"actions": [], "notActions": [], "dataActions": [], "notDataActions": [], **block}


IF = "@Resource[Microsoft.ContainerRegistry/registries:name] StringEquals 'acrml'"


@pytest.mark.parametrize(
    ("said", "properties"),
    [
        ("denied", {}),
        ("denied", {"scope": str(REGISTRY).upper()}),
        ("denied", {"scope": str(SUBSCRIPTION)}),
        ("denied", {"scope": "/"}),
        ("held", {"scope": f"{GROUP}-prod"}),
        ("held", {"scope": str(WORKSPACE)}),
        ("held", {"scope": f"{REGISTRY}/webhooks/hook"}),
        ("held", {"doNotApplyToChildScopes": True}),
        ("denied", {"doNotApplyToChildScopes": True, "scope": str(REGISTRY)}),
        ("held", {"permissions": [_block(actions=["*"], notActions=["*/read"])]}),
        ("denied", {"permissions": [_block(actions=["*"], notActions=["*/write"])]}),
        ("held", {"permissions": [_block(dataActions=["*"])]}),
        ("held", {"permissions": []}),
        ("unknown", {"condition": IF}),
        ("unknown", {"permissions": [_block(actions=["*"], condition=IF)]}),
        ("denied", {"permissions": [_block(actions=["*"], condition=IF), _block(actions=["*/pull/read"])]}),
        ("held", {"permissions": [_block(actions=["*/delete"], condition=IF)]}),
        ("unknown", {"scope": 7}),
        ("unknown", {"scope": f"{GROUP}/..", "doNotApplyToChildScopes": True}),
        ("held", {"scope": "/", "doNotApplyToChildScopes": True}),
    ],
)
def test_reach(said: str, properties: Raw) -> None:
    assert _cover(written(_recorded, [ALL], **properties)) == said


def test_what_lies_at_no_arm_id_concerns_nothing_of_ours() -> None:
    odd = f"{GROUP}/providers/microsoft.insights/components/an\u200bodd name"
    assert deny_assignment(written(_today, [ALL], scope=odd)) is None


def test_one_on_what_has_quotes_in_its_name_is_there() -> None:
    odd = f'{GROUP}/providers/microsoft.insights/components/it\'s "odd"'
    found = deny_assignment(written(_today, [ALL], scope=odd))
    assert found
    assert str(found.scope) == odd


def test_where_it_holds_stands_in_its_id_as_well() -> None:
    raw = written(_recorded, [ALL])
    del raw["properties"]["scope"]
    assert read(raw).scope == GROUP
    root = {**raw, "id": "/providers/Microsoft.Authorization/denyAssignments/d"}
    assert read(root).scope.is_root
    assert not read(root).doubt
    for name in ("Straße-aßß", "\u0130stanbul"):  # their lower case has more letters
        group = SUBSCRIPTION.child("resourceGroups", name)
        inside = {**raw, "id": f"{group}/PROVIDERS/microsoft.authorization/DenyAssignments/d"}
        assert str(read(inside).scope) == str(group)
    with pytest.raises(TypeError):
        deny_assignment({**raw, "id": "d"})


def test_where_it_says_that_it_holds_it_does() -> None:
    assert read(written(_recorded, [ALL], scope=str(SUBSCRIPTION))).scope == SUBSCRIPTION
    elsewhere = {**written(_recorded, [ALL], scope=str(SUBSCRIPTION)), "id": written(_recorded, [ALL])["id"]}
    assert read(elsewhere).scope == SUBSCRIPTION


def test_people_find_it_by_its_id_and_name() -> None:
    raw = written(_today, [ALL])
    assert (read(raw).id, read(raw).name) == (raw["id"], "D")
    assert read(written(_today, [ALL], denyAssignmentName=None)).name == ""


def test_lists_of_nobody_may_be_left_out() -> None:
    assert verdict(written(_today, [ALL], excludePrincipals=None), _denies_all) == "denied"


def _denies_all(_: Raw, __: str) -> bool:
    return True


@pytest.mark.parametrize("one", [{"type": "Everyone"}, {"type": "SystemDefined", "id": "x"}, {"id": "0" * 32}])
def test_everyone_is_known_by_the_type_and_by_the_zeros(one: Raw) -> None:
    raw = written(_today, [])
    raw["properties"]["principals"] = [one]
    assert read(raw).principals == {EVERYONE}
    assert verdict(raw, _denies_all) == "denied"


def test_what_is_in_both_lists_concerns_once_and_for_certain() -> None:
    group = read(written(_today, [MINE]))
    assert concerning(ME, [group], [group]) == (group,)


@pytest.mark.parametrize(("principals", "excluded"), [((), ()), ((OTHER,), ()), ((MINE,), (THEIRS,))])
def test_the_first_doubt_is_the_one_that_people_read(principals: tuple[str, ...], excluded: tuple[str, ...]) -> None:
    (unlisted,) = concerning(ME, [], [read(written(_today, principals, excluded))])
    assert "not among the deny assignments of the subscription" in unlisted.doubt


def test_a_management_group_reaches_the_subscriptions_below_it() -> None:
    deny = read(written(_recorded, [ALL], scope=str(MANAGEMENT_GROUP)))
    above = DenyAssignment(deny.id, deny.name, deny.scope, deny.blocks, deny.principals, within=SUBSCRIPTION)
    me = assigned("me", "Reader", SUBSCRIPTION)
    assert coverage(PULL.permissions, REGISTRY, access(me, denies=[deny])).held
    assert coverage(PULL.permissions, REGISTRY, access(me, denies=[above])).denied_by == (above,)
    assert coverage(READ_BLOBS.permissions, REGISTRY, access(me, denies=[above])).denied_by == ()


def test_my_own_id_counts_in_any_form() -> None:
    raw = written(_today, [ALL], [ME])
    assert concerning(ME.replace("-", "").upper(), [read(raw)], []) == ()
    assert concerning(guid("somebody"), [read(raw)], []) != ()
