"""Which rules an event asks, what these read, and that what was not asked for is taken for nothing."""

import operator

import pytest
from unit.build import FOREIGN, cluster, endpoint, estate, registry, sai, terms, workspace

from shared.access.asks import Ask
from shared.access.model import Estate, Workspace
from shared.access.rules import RULES, List, Rule
from shared.access.terms import Terms
from shared.access.touched import about, lists
from shared.access.unasked import NOT_ASKED, NotAskedError, if_asked

DEFAULT = Terms(table=RULES)


def names(said: Terms) -> set[str]:
    return {rule.name for rule in said.table}


def test_an_event_about_a_compute_lists_computes_and_what_decides_about_them() -> None:
    assert lists(about(DEFAULT, List.COMPUTES)) == {List.COMPUTES, List.DATASTORES}


def test_the_full_look_lists_everything() -> None:
    assert lists(DEFAULT) == set(List)


def test_every_rule_that_may_grant_to_what_was_touched_is_asked() -> None:
    for touched in List:
        asked = names(about(DEFAULT, touched))
        assert asked >= {rule.name for rule in RULES if rule.looks_at(touched) and DEFAULT.may_act(rule)}


def test_what_only_reports_is_asked_where_that_takes_no_list_more() -> None:
    asked = names(about(DEFAULT, List.COMPUTES))
    assert asked >= {"compute-identity", "lost-identity", "malformed-id", "network-subnet-room", "identity-attached-by"}
    assert asked.isdisjoint({"image-registries", "endpoint-traffic-logs", "workspace-identity", "own-grants"})


def test_what_grants_only_on_the_allow_list_is_asked_where_there_is_one() -> None:
    said = terms(allow=(FOREIGN,))
    assert "image-registry-pull" not in names(about(DEFAULT, List.COMPUTES))
    assert "image-registry-pull" in names(about(said, List.COMPUTES))
    assert lists(about(said, List.COMPUTES)) == set(List)


def test_who_may_object_is_asked_whatever_was_touched() -> None:
    objecting = {rule.name for rule in RULES if rule.objects_to_grants}
    assert objecting == {"data-isolation", "data-isolation-by-default", "cross-tenant-storage", "network-lighthouse"}
    for touched in List:
        assert names(about(DEFAULT, touched)) >= objecting


def test_a_switch_off_and_what_is_taken_back_are_looked_for_whatever_was_touched() -> None:
    for touched in List:
        assert "registry-admin-user" in names(about(DEFAULT, touched))
        assert "own-grants" in names(about(terms(on=["own-grants"]), touched))


def test_what_the_policy_turned_off_reads_nothing() -> None:
    off = [rule.name for rule in RULES if List.DATASTORES in rule.reads and List.COMPUTES in rule.reads]
    said = about(terms(off=[*off, "AML-73"]), List.COMPUTES)
    assert "data-isolation" in names(said), "a guard objects though the policy turned it off"


@pytest.mark.parametrize(
    "look",
    [
        lambda listed: [*listed],
        len,
        bool,
        lambda listed: 1 in listed,
        lambda listed: listed[0],
        lambda listed: operator.add((), listed),
        lambda listed: operator.add(listed, ()),
        lambda listed: tuple(one for one in listed),
        sorted,
        any,
        tuple,
    ],
)
def test_what_was_not_asked_for_is_not_empty(look: object) -> None:
    assert callable(look)
    with pytest.raises(NotAskedError):
        look(NOT_ASKED)
    look((1,))


def test_it_equals_no_empty_list() -> None:
    assert workspace(endpoints=NOT_ASKED) != workspace()
    assert workspace(endpoints=NOT_ASKED) == workspace(endpoints=NOT_ASKED)
    assert if_asked(NOT_ASKED) == ()
    assert if_asked((1,)) == (1,)


def _endpoints(seen: Workspace, _: Estate) -> list[Ask]:
    assert seen.endpoints == ()
    return []


def rule(**more: object) -> Rule:
    (like,) = (one for one in RULES if one.name == "compute-identity-kinds")
    fields = {name: getattr(like, name) for name in Rule.__dataclass_fields__} | more
    return Rule(**fields)


def test_only_what_a_rule_takes_one_by_one_is_hidden_from_it() -> None:
    seen = workspace(cluster("cpu", sai("cpu")), endpoints=NOT_ASKED)
    one = estate(seen_in_full(), registry())
    assert list(rule(examine=_endpoints, each=(List.ENDPOINTS,)).asks(seen, one)) == []
    with pytest.raises(NotAskedError):
        list(rule(examine=lambda looked, _: [*looked.endpoints]).asks(seen, one))


def seen_in_full() -> Workspace:
    return workspace(cluster("cpu", sai("cpu")), endpoint("serve", sai("serve")))
