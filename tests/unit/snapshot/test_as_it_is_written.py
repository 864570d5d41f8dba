"""How a snapshot is written: snapshots that were taken stay readable, and what is written reads as what it was."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from unit.build import GROUP, MANAGEMENT_GROUP, REGISTRY, WORKSPACE, guid

from shared.access import denies, parse
from shared.access.model import Part
from shared.access.permissions import EVERYONE, DenyAssignment, PermissionBlock, RoleAssignment, RoleDefinition
from shared.ports import AzureFailureError, NotShownError, ReadFailedError, Stored
from shared.snapshot import questions, raws
from shared.snapshot.played import Played
from shared.snapshot.questions import Question
from shared.snapshot.recorded import Notes
from shared.snapshot.written import About, document

SUBSCRIPTION = GROUP.parent
ABOUT = About("2026-11-29T00:00:00+00:00", "1", "t", "me", None, None, (), stopped=False, hasStore=True, hasLogs=True)
ASKED: list[tuple[Question, dict[str, Any]]] = [
    (questions.resource(WORKSPACE), {"ask": "resource", "at": str(WORKSPACE)}),
    (questions.children(WORKSPACE, "computes"), {"ask": "list", "at": str(WORKSPACE), "for": "computes"}),
    (questions.children(GROUP, "x", 2), {"ask": "list", "at": str(GROUP), "for": "x", "pages": 2}),
    (questions.query("Resources"), {"ask": "query", "for": "Resources"}),
    (questions.query("Resources", SUBSCRIPTION), {"ask": "query", "at": str(SUBSCRIPTION), "for": "Resources"}),
    (questions.logs("AzureActivity"), {"ask": "logs", "for": "AzureActivity"}),
    (
        questions.role_assignments("Abc", SUBSCRIPTION),
        {"ask": "roleAssignments", "at": str(SUBSCRIPTION), "for": "Abc"},
    ),
    (questions.role_definition("r", GROUP), {"ask": "roleDefinition", "at": str(GROUP), "for": "r"}),
    (questions.deny_assignments(SUBSCRIPTION, None), {"ask": "denyAssignments", "at": str(SUBSCRIPTION)}),
    (
        questions.deny_assignments(SUBSCRIPTION, "p"),
        {"ask": "denyAssignments", "at": str(SUBSCRIPTION), "for": "p"},
    ),
    (questions.document("undone.json"), {"ask": "document", "for": "undone.json"}),
    (questions.documents("runs/"), {"ask": "documents", "for": "runs/"}),
]


@pytest.mark.parametrize(("question", "written"), ASKED)
def test_a_question_is_written_in_one_form_and_read_as_the_same(question: Question, written: dict[str, Any]) -> None:
    assert question.written() == written
    assert questions.question(written).key == question.key
    assert [other for other, _ in ASKED if other.key == question.key] == [question]


def test_a_question_is_the_same_in_any_spelling_of_who_and_where() -> None:
    upper = questions.children(type(WORKSPACE).parse(str(WORKSPACE).upper()), "COMPUTES")
    assert upper.key == questions.children(WORKSPACE, "computes").key
    assert questions.role_assignments("ABC", GROUP).key == questions.role_assignments("abc", GROUP).key
    assert questions.query("A").key != questions.query("a").key


DENY = "providers/Microsoft.Authorization/denyAssignments/x"
BLOCK = PermissionBlock(("*/read",), ("*/delete",), ("*/write",), ("*/x",))


def _at(kind: str, name: str = "one") -> str:
    return f"{REGISTRY}/providers/Microsoft.Authorization/{kind}/{guid(name)}"


@pytest.mark.parametrize(
    "one",
    [
        RoleAssignment(_at("roleAssignments"), REGISTRY, guid("p"), guid("r")),
        RoleAssignment(
            _at("roleAssignments"), REGISTRY, guid("p"), guid("r"), "a", datetime(2026, 1, 1, tzinfo=UTC), "b"
        ),
    ],
)
def test_a_role_assignment_reads_as_what_it_was(one: RoleAssignment) -> None:
    written = raws.assignment(one)
    assert parse.role_assignment(written) == one
    assert (written["id"], written["name"]) == (one.id, one.id.rpartition("/")[2])


def _denial(**more: Any) -> DenyAssignment:
    return replace(
        DenyAssignment(_at("denyAssignments"), "no", REGISTRY, (BLOCK,), frozenset({guid("p")}), groups=frozenset()),
        **more,
    )


@pytest.mark.parametrize(
    "one",
    [
        _denial(),
        _denial(principals=frozenset({EVERYONE}), excluded=frozenset({guid("q")}), groups=frozenset({EVERYONE})),
        _denial(principals=frozenset({guid("g"), guid("p")}), groups=frozenset({guid("g")}), only_at_scope=True),
        _denial(excluded=frozenset({guid("g")}), groups=frozenset({guid("g")})),
        _denial(blocks=(replace(BLOCK, condition="c"), BLOCK), name=""),
    ],
)
def test_a_deny_assignment_reads_as_what_it_was(one: DenyAssignment) -> None:
    written = raws.denial(one)
    assert denies.deny_assignment(written) == one
    assert written["name"] == one.id.rpartition("/")[2]


@pytest.mark.parametrize("name", [f"/{DENY}", f"{REGISTRY}/{DENY}", f"/subscriptions/x//y/{DENY}"])
@pytest.mark.parametrize("more", [{"denyAssignmentEffect": "Perhaps"}, {"scope": "nobody knows"}, {}])
@pytest.mark.parametrize("at", ["/", str(REGISTRY), None])
def test_whether_a_deny_assignment_denies_stays_unknown(name: str, more: dict[str, str], at: str | None) -> None:
    one = denies.deny_assignment({"id": name, "properties": ({"scope": at} if at else {}) | more})
    assert one is not None
    found = denies.deny_assignment(raws.denial(one))
    assert found is not None
    assert bool(found.doubt) == bool(one.doubt)
    assert found.scope == one.scope


def test_a_role_reads_as_what_it_was() -> None:
    role = RoleDefinition(guid("r"), "Puller", (BLOCK, replace(BLOCK, condition="c")))
    assert parse.role_definition(raws.definition(role)) == role


def _written(*asked: tuple[Question, Any]) -> dict[str, Any]:
    notes = Notes({question.key: (question, answer) for question, answer in asked})
    return document(notes, ABOUT, frozenset(), {PULL.role_id: PULL})


def _again(*asked: tuple[Question, Any]) -> Played:
    return Played.of(_written(*asked), "x", {PULL.role_id: PULL})


PULL = RoleDefinition(guid("built in"), "AcrPull", (BLOCK,))
OWN = RoleDefinition(guid("custom"), "Puller", (BLOCK,))
ASSIGNED = RoleAssignment(_at("roleAssignments"), REGISTRY, guid("p"), OWN.role_id)
DENIED = _denial()
LOCK = {"id": _at("locks"), "properties": {"level": "ReadOnly"}}
COMPUTE = {"id": f"{WORKSPACE}/computes/c", "properties": {"a": 1}}


def test_each_object_is_once_in_its_list_and_answers_name_it() -> None:
    asked = (
        (questions.resource(WORKSPACE), {"id": str(WORKSPACE), "properties": {"whole": True}}),
        (questions.children(GROUP, "workspaces"), [{"id": str(WORKSPACE), "properties": {}}, COMPUTE]),
        (questions.children(WORKSPACE, "computes"), [COMPUTE]),
        (questions.children(GROUP, "Microsoft.Authorization/locks"), [LOCK]),
        (questions.role_assignments(guid("p"), SUBSCRIPTION), [ASSIGNED]),
        (questions.deny_assignments(SUBSCRIPTION, None), [DENIED]),
        (questions.role_definition(OWN.role_id, GROUP), OWN),
        (questions.role_definition(PULL.role_id, GROUP), PULL),
    )
    made = _written(*asked)
    listed = {name: [one["id"] for one in made[name]] for name in made if isinstance(made[name], list) and made[name]}
    assert listed == {
        "resources": [str(WORKSPACE), COMPUTE["id"]],
        "roleAssignments": [ASSIGNED.id],
        "denyAssignments": [DENIED.id],
        "roleDefinitions": [f"/providers/Microsoft.Authorization/roleDefinitions/{OWN.role_id}"],
        "locks": [LOCK["id"]],
    }
    assert made["resources"][0]["properties"] == {"whole": True}, "what a list says of it is less"
    told = {questions.question(one).key: one.get("answer", one) for one in made["snapshot"]["asked"]}
    assert told[asked[1][0].key] == [{"id": str(WORKSPACE), "properties": {}}, COMPUTE["id"]]
    assert told[asked[4][0].key] == [ASSIGNED.id]
    assert told[asked[7][0].key]["builtIn"] is True
    for question, answer in asked[:-1]:
        back = _again(*asked).ask(question)
        assert (back if isinstance(back, list) else [back]) == raws.of(answer)


def test_an_assignment_of_which_two_lists_tell_more_and_less_is_one() -> None:
    listed = raws.assignment(ASSIGNED)
    listed["properties"] |= {"principalType": "ServicePrincipal"}
    other = raws.denial(DENIED)
    other["properties"] |= {"isSystemProtected": True}
    made = _written(
        (questions.children(GROUP, "Microsoft.Authorization/roleAssignments"), [listed]),
        (questions.role_assignments(guid("p"), SUBSCRIPTION), [ASSIGNED]),
        (questions.children(GROUP, "Microsoft.Authorization/denyAssignments"), [other]),
        (questions.deny_assignments(SUBSCRIPTION, None), [DENIED]),
    )
    assert {tuple(one["answer"]) for one in made["snapshot"]["asked"]} == {(ASSIGNED.id,), (DENIED.id,)}
    changed = replace(ASSIGNED, principal_id=guid("q"))
    made = _written(
        (questions.children(GROUP, "Microsoft.Authorization/roleAssignments"), [listed]),
        (questions.role_assignments(guid("q"), SUBSCRIPTION), [changed]),
    )
    assert {type(one["answer"][0]) for one in made["snapshot"]["asked"]} == {str, dict}, "it says something else"


def test_what_lies_in_no_list_of_a_tenant_file_is_in_the_answer() -> None:
    group = {"id": str(MANAGEMENT_GROUP), "name": "mg"}
    policy = {"id": f"{GROUP}/providers/Microsoft.Authorization/policyAssignments/p"}
    made = _written((questions.children(GROUP, "x"), [group, policy, {"no": "id"}, str(WORKSPACE)]))
    assert not made["resources"]
    assert made["snapshot"]["asked"][0]["answer"] == [group, policy, {"no": "id"}, str(WORKSPACE)]


def test_who_is_in_a_group_follows_from_whose_lists_show_its_assignments() -> None:
    of_group = replace(ASSIGNED, principal_id=guid("group"))
    made = _written((questions.role_assignments(guid("p"), SUBSCRIPTION), [of_group, ASSIGNED]))
    assert made["groups"] == {guid("group"): [guid("p")]}


def test_what_lies_below_a_management_group_follows_from_lists() -> None:
    above = replace(ASSIGNED, id=f"{MANAGEMENT_GROUP}/providers/Microsoft.Authorization/roleAssignments/x")
    above = replace(above, scope=MANAGEMENT_GROUP)
    other = type(GROUP).parse("/providers/Microsoft.Management/managementGroups/other")
    denied = replace(DENIED, scope=other)
    below = [{"id": str(SUBSCRIPTION)}, {"id": str(MANAGEMENT_GROUP)}]
    expected = {"name": MANAGEMENT_GROUP.name, "subscriptions": [SUBSCRIPTION.name]}
    for question, answer in (
        (questions.role_assignments(guid("p"), SUBSCRIPTION), [above]),
        (questions.children(MANAGEMENT_GROUP, "descendants"), below),
    ):
        assert _written((question, answer), (questions.query("x"), []))["managementGroups"] == [expected]
    (named,) = _written((questions.deny_assignments(SUBSCRIPTION, None), [denied]))["managementGroups"]
    assert named["name"] == "other"
    assert _written((questions.children(GROUP, "descendants"), below))["managementGroups"] == []
    failed = ReadFailedError("a", "b", "c")
    assert _written((questions.children(MANAGEMENT_GROUP, "descendants"), failed))["managementGroups"] == []


@pytest.mark.parametrize("kind", [ReadFailedError, NotShownError])
@pytest.mark.parametrize("forbidden", [True, False])
@pytest.mark.parametrize("lacks", [True, False])
def test_what_could_not_be_read_fails_as_it_did(kind: type[ReadFailedError], forbidden: bool, lacks: bool) -> None:
    error = kind("read it", "Code", "the reason", forbidden=forbidden, lacks_right=lacks)
    with pytest.raises(ReadFailedError) as raised:
        _again((questions.resource(GROUP), error)).ask(questions.resource(GROUP))
    told = raised.value
    assert (type(told), str(told), told.code) == (kind, str(error), error.code)
    assert (told.forbidden, told.lacks_right) == (forbidden, lacks)
    other = AzureFailureError("read it", "Code", "--password zqcanary")
    assert "zqcanary" not in str(_written((questions.resource(GROUP), other)))


def test_answers_that_are_no_lists_of_objects_read_as_what_they_were() -> None:
    asked = (
        (questions.resource(GROUP), None),
        (questions.children(GROUP, "a", 1), Part([COMPUTE])),
        (questions.children(GROUP, "b", 1), [COMPUTE]),
        (questions.document("x"), Stored(b'{"a": 1}', "etag")),
        (questions.document("y"), Stored(b"no JSON", "etag")),
    )
    then = _again(*asked)
    assert then.ask(asked[0][0]) is None
    assert [then.is_part(question) for question, _ in asked] == [False, True, False, False, False]
    assert then.ask(asked[3][0])["holds"] == {"a": 1}
    assert then.ask(asked[4][0])["holds"] is None
