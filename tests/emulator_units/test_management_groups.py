"""Management groups as Azure answers: who may read them, and what is below them.

Shapes are those of the REST specification's examples (Microsoft.Management, 2023-04-01); that an unknown group is 403
to all but who may read at the root is https://github.com/Azure/azure-rest-api-specs/issues/9549.
"""

import asyncio
from typing import Any

import pytest
from emulator_units.arm_calls import OPERATOR, READER, SUB, Azure, caller, held, principal

from emulator.arm.call import Answer

VERSION = "?api-version=2023-04-01"
OTHER = SUB.replace("aaaaaaaa", "bbbbbbbb")
LONELY = SUB.replace("aaaaaaaa", "cccccccc")
ROOT = "dddddddd-0000-0000-0000-000000000001"
ME = principal(1)
GROUPS: list[dict[str, Any]] = [
    {"name": "Company"},
    {"name": "ml", "parent": "company", "subscriptions": [SUB.rpartition("/")[2]]},
    {"name": "ml-prod", "parent": "ml", "subscriptions": [OTHER.rpartition("/")[2]], "displayName": "Production"},
    {"name": "ml-prod-2", "parent": "implied"},
]


def group(name: str) -> str:
    return f"/providers/Microsoft.Management/managementGroups/{name}"


def azure(*assignments: dict[str, Any]) -> Azure:
    outside = {"id": f"{LONELY}/resourceGroups/rg", "location": "westeurope"}
    return Azure(
        {
            "tenantId": ROOT,
            "managementGroups": GROUPS,
            "resources": [outside],
            "roleAssignments": list(assignments),
        }
    )


def below(name: str, one: Azure | None = None) -> set[str]:
    body = (one or azure()).ask("GET", f"{group(name)}/descendants{VERSION}").body
    return {row["id"].rpartition("/")[2] if "/managementGroups/" in row["id"] else row["id"] for row in body["value"]}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("company", {"ml", "ml-prod", SUB, OTHER}),
        ("ML", {"ml-prod", SUB, OTHER}),
        ("ml-prod", {OTHER}),
        ("implied", {"ml-prod-2"}),
        ("ml-prod-2", set()),
        (ROOT, {"Company", "ml", "ml-prod", "ml-prod-2", "implied", SUB, OTHER, LONELY}),
    ],
)
def test_what_descends_from_a_group(name: str, expected: set[str]) -> None:
    assert below(name) == expected


def test_a_descendant_says_what_it_is_and_in_which_group() -> None:
    rows = azure().ask("GET", f"{group('ml')}/descendants{VERSION}").body["value"]
    assert rows == [
        {
            "id": group("ml-prod"),
            "type": "Microsoft.Management/managementGroups",
            "name": "ml-prod",
            "properties": {"displayName": "Production", "parent": {"id": group("ml")}},
        },
        *(
            {
                "id": subscription,
                "type": "Microsoft.Management/managementGroups/subscriptions",
                "name": subscription.rpartition("/")[2],
                "properties": {"displayName": subscription.rpartition("/")[2], "parent": {"id": group(parent)}},
            }
            for subscription, parent in ((SUB, "ml"), (OTHER, "ml-prod"))
        ),
    ]


def test_descendants_come_in_pages() -> None:
    many = [f"{number:08}-0000-0000-0000-000000000001" for number in range(250)]
    one = Azure({"managementGroups": [{"name": "big", "subscriptions": many}]})
    target, seen = f"{group('big')}/descendants{VERSION}", []
    while target:
        body = one.ask("GET", target).body
        seen += [row["name"] for row in body["value"]]
        assert len(body["value"]) <= 100
        target = body.get("nextLink", "").partition("https://127.0.0.1:1")[2].replace("%24", "$")
    assert sorted(seen) == many


@pytest.mark.parametrize("what", ["", "/descendants"])
def test_reader_on_a_group_reads_it_and_what_is_below_but_not_above(what: str) -> None:
    one = azure(held(group("ml"), READER, ME))
    for name in ("ml", "ml-prod"):
        assert one.ask("GET", f"{group(name)}{what}{VERSION}", caller=caller(ME)).status == 200
    for name in ("company", ROOT, "ml-prod-2"):
        assert one.refusal("GET", f"{group(name)}{what}{VERSION}", caller=caller(ME)).status == 403


@pytest.mark.parametrize("what", ["", "/descendants"])
def test_an_unknown_group_is_not_found_only_by_who_may_read_at_the_root(what: str) -> None:
    target = f"{group('nowhere')}{what}{VERSION}"
    for scope, status in ((group(ROOT), 403), (SUB, 403), ("/", 404)):
        refused = azure(held(scope, READER, ME)).refusal("GET", target, caller=caller(ME))
        assert (refused.status, refused.code) == (status, "AuthorizationFailed" if status == 403 else "NotFound")
    assert azure().refusal("GET", target, caller=OPERATOR).status == 404


def test_reader_of_a_subscription_reads_no_group_above_it() -> None:
    refused = azure(held(SUB, READER, ME)).refusal("GET", f"{group('ml')}/descendants{VERSION}", caller=caller(ME))
    assert refused.code == "AuthorizationFailed"
    assert "Microsoft.Management/managementGroups/read" in refused.message


def test_the_list_has_what_the_caller_may_read() -> None:
    listed = f"/providers/Microsoft.Management/managementGroups{VERSION}"
    one = azure(held(group("ml"), READER, ME))
    assert [row["name"] for row in one.ask("GET", listed, caller=caller(ME)).body["value"]] == ["ml", "ml-prod"]
    assert len(one.ask("GET", listed).body["value"]) == 6


def test_children_of_one_level_or_of_all() -> None:
    expand = f"{group('company')}{VERSION}&$expand=children"
    (ml,) = azure().ask("GET", expand).body["properties"]["children"]
    assert (ml["name"], "children" in ml) == ("ml", False)
    (ml,) = azure().ask("GET", f"{expand}&$recurse=true").body["properties"]["children"]
    assert [(one["name"], one["type"]) for one in ml["children"]] == [
        ("ml-prod", "Microsoft.Management/managementGroups"),
        (SUB.rpartition("/")[2], "/subscriptions"),
    ]
    assert ml["children"][0]["children"][0]["id"] == OTHER


def test_groups_in_each_other_end() -> None:
    one = Azure({"managementGroups": [{"name": "a", "parent": "b"}, {"name": "b", "parent": "a"}]})
    assert one.ask("GET", f"{group('a')}{VERSION}&$expand=children&$recurse=true").status == 200
    assert below("a", one) == {"b"}


def test_what_is_not_known_is_refused() -> None:
    for option in ("$expand=path", "$filter=children.childType ne Subscription", "$search=x"):
        assert azure().refusal("GET", f"{group('ml')}{VERSION}&{option}").status == 400
    assert azure().refusal("GET", f"{group('ml')}/descendants?api-version=2016-01-01").status == 400


async def finished(one: Azure, answer: Answer) -> Answer:
    await asyncio.sleep(0.05)
    return one.ask("GET", answer.headers["Location"].removeprefix("https://127.0.0.1:1"))


def parent_of(one: Azure, name: str) -> str:
    return str(one.ask("GET", f"{group(name)}{VERSION}").body["properties"]["details"]["parent"]["name"])


async def test_a_group_is_made_moved_and_deleted() -> None:
    """Recorded with the Azure CLI: update_managementgroup_with_displayname_and_parentid (2018-03-01-preview)."""
    one = azure()
    made = one.ask("PUT", f"{group('new')}{VERSION}", {"name": "new", "properties": {"details": {"parent": {}}}})
    assert (made.status, made.body["status"], set(made.headers)) == (202, "NotStarted", {"Location"})
    done = await finished(one, made)
    assert (done.status, done.body["status"], done.body["properties"]["displayName"]) == (200, "Succeeded", "new")
    assert parent_of(one, "new") == ROOT
    moved = one.ask("PATCH", f"{group('new')}{VERSION}", {"displayName": "New", "parentId": group("ML")})
    assert (moved.status, moved.body["properties"]["displayName"], parent_of(one, "new")) == (200, "New", "ml")
    assert "new" in below("company", one)
    gone = one.ask("DELETE", f"{group('new')}{VERSION}")
    assert (gone.status, gone.body["status"]) == (202, "NotStarted")
    assert (await finished(one, gone)).body["status"] == "Succeeded"
    assert one.refusal("GET", f"{group('new')}{VERSION}").status == 404
    assert "new" not in below("company", one)


async def test_who_holds_a_role_on_a_group_holds_it_where_the_group_is() -> None:
    """A move changes who may do what below, at once. A deletion takes the roles on the group with it."""
    one = azure(held(group("ml"), READER, ME))
    one.ask("PUT", f"{group('new')}{VERSION}", {"properties": {"details": {"parent": {"id": group("ml")}}}})
    assert one.ask("GET", f"{group('new')}{VERSION}", caller=caller(ME)).status == 200
    one.assign(group("new"), READER, ME)
    again = one.ask(
        "PUT", f"{group('NEW')}{VERSION}", {"properties": {"details": {"parent": {"id": group("company")}}}}
    )
    assert (again.status, again.body["name"], parent_of(one, "new")) == (200, "new", "Company")
    assert one.roles_of(ME, group("new")) == {READER}
    one.ask("DELETE", f"{group('new')}{VERSION}")
    assert one.roles_of(ME, group("new")) == set()
    assert one.roles_of(ME, group("ml")) == {READER}


@pytest.mark.parametrize("name", ["company", "ml", "ml-prod", "implied"])
def test_a_group_with_children_stays(name: str) -> None:
    one = azure()
    assert one.refusal("DELETE", f"{group(name)}{VERSION}").status == 400
    assert below(name, one) == below(name)


@pytest.mark.parametrize(
    ("method", "body"),
    [("PUT", {"properties": {"details": {"parent": {"id": group("nowhere")}}}}), ("PATCH", {"parentId": "nowhere"})],
)
def test_a_group_has_a_parent_that_exists(method: str, body: dict[str, Any]) -> None:
    one = azure()
    assert one.refusal(method, f"{group('ml')}{VERSION}", body).status == 404
    assert parent_of(one, "ml") == "Company"


@pytest.mark.parametrize(("method", "body"), [("PUT", {}), ("PATCH", {"displayName": "mine"}), ("DELETE", None)])
def test_a_reader_changes_no_group(method: str, body: dict[str, Any] | None) -> None:
    one = azure(held(group("company"), READER, ME))
    assert one.refusal(method, f"{group('ml-prod')}{VERSION}", body, caller=caller(ME)).status == 403
