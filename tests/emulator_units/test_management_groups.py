"""Management groups as Azure answers: who may read them, and what is below them.

Shapes are those of the REST specification's examples (Microsoft.Management, 2023-04-01); that an unknown group is 403
to all but who may read at the root is https://github.com/Azure/azure-rest-api-specs/issues/9549.
"""

from typing import Any

import pytest
from emulator_units.arm_calls import OPERATOR, READER, SUB, Azure, caller, held, principal

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
