"""What is none of Azure's answers is unknown; how long Azure may make anybody wait. Time is the loop's own."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from unit.build import GROUP, REGISTRY, ROLES, SUBSCRIPTION, WORKSPACE
from unit.hurried import run, seconds
from unit.scripted import ARM, Answer, Transport, live

from shared.azure.answers import Pages
from shared.azure.retries import asked_to_wait
from shared.ports import ReadFailedError

THERE = {"id": str(REGISTRY), "properties": {}}
NO_RESOURCES: tuple[Any, ...] = (
    None,
    "",
    "null",
    '"x"',
    "[]",
    "5",
    "true",
    "{}",
    '{"id": 5}',
    '{"error": {"code": "Busy"}}',
    '{"id": "/subscriptions/11111111',
    '{"id": "/x", "properties": NaN}',
    '{"id": "/x", "properties": {"nodes": -1e999}}',
    "[" * 100_000,
    "<html></html>",
)


def read(*answers: Answer, pages: bool = False) -> Any:
    """What comes of it, an error's code included."""
    said: list[Any] = []

    async def ask() -> None:
        azure = live(Transport(look=answers))
        try:
            said.append(await (azure.children(WORKSPACE, "computes") if pages else azure.resource(REGISTRY)))
        except ReadFailedError as error:
            said.append(error.code)
        assert seconds() < 100

    run(ask())
    return said[0]


def asked_graph(*answers: Answer) -> Any:
    said: list[Any] = []

    async def ask() -> None:
        try:
            said.append([row["id"] async for row in live(Transport(write=answers)).query("resources")])
        except ReadFailedError as error:
            said.append(error.code)

    run(ask())
    return said[0]


def page(*names: str, link: object = None, **headers: str) -> Answer:
    return Answer(200, {"value": [{"id": name} for name in names], "nextLink": link}, headers)


def test_a_resource_is_one() -> None:
    assert read(Answer(200, THERE)) == THERE
    assert read(Answer(200, THERE, {"Content-Type": "application/json; charset=utf-8"})) == THERE
    assert read(Answer(200, "\ufeff" + json.dumps(THERE))) == THERE


@pytest.mark.parametrize("body", NO_RESOURCES, ids=lambda body: repr(body)[:24])
def test_what_is_no_resource_is_unknown(body: Any) -> None:
    assert read(Answer(200, body)) == "MalformedAnswer"


@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/xml", "application/octet-stream"])
def test_what_says_that_it_is_no_json_is_unknown(kind: str) -> None:
    assert read(Answer(200, THERE, {"Content-Type": kind})) == "MalformedAnswer"


def test_only_azure_says_that_something_is_not_there() -> None:
    assert read(Answer(404, {"error": {"code": "ResourceNotFound"}})) is None
    for body in ("<html>404</html>", None, "[]", "{}"):
        assert read(Answer(404, body)) not in (None, THERE)


def test_half_a_character_is_replaced() -> None:
    told = read(Answer(200, '{"id": "/x", "tags": {"a": "b\\ud800c", "\\udfff": ["\\ud83d\\ude00"]}}'))
    assert told["tags"] == {"a": "b\ufffdc", "\ufffd": ["\U0001f600"]}


def test_a_list_is_read_to_its_end() -> None:
    second, third = f"{ARM}/2", f"{ARM}:443/3"
    rows = read(page("a", link=second), page(link=third), page("b"), pages=True)
    assert [row["id"] for row in rows] == ["a", "b"]
    assert [row["id"] for row in read(page("a", link=""), pages=True)] == ["a"]


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("https://example.com/2", "ForeignPage"),
        ("http://management.azure.com/2", "ForeignPage"),
        ("https://management.azure.com:444/2", "ForeignPage"),
        ("https://management.azure.com.example.com/2", "ForeignPage"),
        ("https://management.azure.com@example.com/2", "ForeignPage"),
        ("//example.com/2", "ForeignPage"),
        (f"{ARM}/2", "EndlessPages"),
        (5, "PartialPage"),
        (["x"], "PartialPage"),
    ],
)
def test_a_page_that_leads_elsewhere_or_nowhere_ends_the_list(link: object, code: str) -> None:
    assert read(page("a", link=link), page("b", link=link), pages=True) == code


def test_pages_without_a_new_row_end_the_list() -> None:
    """Each with a link of its own, empty or with the rows of the first."""
    for names in ((), ("a",)):
        pages = [page(*names, link=f"{ARM}/{number}") for number in range(100)]
        assert read(page("a", link=f"{ARM}/x"), *pages, page("the end"), pages=True) == "EndlessPages"


def test_a_link_that_was_followed_before_leads_nowhere_whatever_comes_with_it() -> None:
    pages = [page(str(number), link=f"{ARM}/2") for number in range(3)]
    assert read(*pages, page("the end"), pages=True) == "EndlessPages"


def test_a_list_has_an_end_even_if_each_page_has_news() -> None:
    way = Pages("list", ARM)

    def read_on() -> None:
        for number in range(3000):
            way.rows({"value": [{"id": str(number)}]})
            way.link({"nextLink": f"{ARM}/{number}"})

    with pytest.raises(ReadFailedError, match="lead nowhere"):
        read_on()


def test_an_answer_of_resource_graph_that_says_that_rows_are_missing_is_unknown() -> None:
    """https://learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data#paging-results"""
    for told, expected in (("true", "Truncated"), ("false", ["a"])):
        body = {"data": [{"id": "a"}], "resultTruncated": told}
        assert asked_graph(Answer(200, body)) == expected


@pytest.mark.parametrize("rows", [None, {}, "x", [None], ["x"], [[]], [5]])
def test_a_page_without_rows_that_are_objects_is_unknown(rows: Any) -> None:
    assert read(Answer(200, {"value": rows}), pages=True) == "PartialPage"


class TestWaiting:
    @pytest.mark.parametrize(
        ("told", "seconds"),
        [
            ("3600", 3600),
            ("1.5", 1.5),
            ("0", 0),
            ("-1", 0),
            ("soon", 0),
            ("", 0),
            ("nan", 0),
            ("inf", 6 * 3600),
            ("9" * 400, 6 * 3600),
            ("Sat, 28 Nov 2026 23:30:00 GMT", 1800),
            ("Sat, 28 Nov 2026 22:30:00 GMT", 0),
            ("Fri, 32 Nov 2026 25:00:00 GMT", 0),
            ("Sat, 28 Nov 2099 22:30:00 GMT", 6 * 3600),
        ],
    )
    def test_what_an_answer_asks(self, told: str, seconds: float) -> None:
        headers = {"Retry-After": told, "Date": "Sat, 28 Nov 2026 23:00:00 GMT"}
        assert asked_to_wait(headers) == timedelta(seconds=seconds)

    @pytest.mark.parametrize("told", ["3600", "15", "inf", "Sat, 28 Nov 2099 22:30:00 GMT"])
    def test_nobody_sleeps_for_what_is_too_long(self, told: str) -> None:
        asked: list[ReadFailedError] = []

        async def ask() -> None:
            transport = Transport(look=[Answer(429, {"error": {"code": "TooManyRequests"}}, {"Retry-After": told})])
            with pytest.raises(ReadFailedError) as caught:
                await live(transport).resource(REGISTRY)
            assert seconds() < 12
            assert len(transport.asked) == 1
            asked.append(caught.value)

        run(ask())
        assert asked[0].wait >= timedelta(seconds=15)
        assert "try again after" in str(asked[0])

    def test_a_short_wait_is_one(self) -> None:
        async def ask() -> None:
            busy = Answer(429, {"error": {"code": "TooManyRequests"}}, {"Retry-After": "3"})
            assert await live(Transport(look=[busy, Answer(200, THERE)])).resource(REGISTRY) == THERE
            assert 3 <= seconds() < 5

        run(ask())


class TestBelieving:
    """A custom role is believed for five minutes, and a switch-off believes none that was read before."""

    ROLE = "5b1c7a0e-1111-4111-8111-000000000001"

    def definition(self, action: str) -> Answer:
        properties = {"roleName": "mine", "permissions": [{"actions": [action]}]}
        return Answer(200, {"id": f"{SUBSCRIPTION}/x", "name": self.ROLE, "properties": properties})

    def actions(self, minutes: float, *, fresh: bool = False) -> str:
        said: list[str] = []

        async def ask() -> None:
            azure = live(Transport(look=[self.definition("before"), self.definition("after")]))
            await azure.role_definitions(frozenset({self.ROLE}), SUBSCRIPTION)
            await asyncio.sleep(60 * minutes)
            again = azure.fresh() if fresh else azure
            (one,) = (await again.role_definitions(frozenset({self.ROLE}), SUBSCRIPTION)).values()
            said.extend(one.permissions[0].actions)

        run(ask())
        return said[0]

    def test_it_is_read_again_in_time(self) -> None:
        assert self.actions(4) == "before"
        assert self.actions(6) == "after"
        assert self.actions(0, fresh=True) == "after"

    def test_a_built_in_role_is_known_and_read_all_the_same_where_an_admin_user_goes_off(self) -> None:
        role = ROLES["AcrPull"].role_id

        async def ask() -> None:
            transport = Transport(look=[Answer(200, {**self.definition("now").body, "name": role})])
            azure = live(transport)
            (known,) = (await azure.role_definitions(frozenset({role}), SUBSCRIPTION)).values()
            assert (known.name, transport.asked) == ("AcrPull", [])
            (read,) = (await azure.fresh().role_definitions(frozenset({role}), SUBSCRIPTION)).values()
            assert read.permissions[0].actions == ("now",)

        run(ask())

    @pytest.mark.parametrize(
        "properties",
        [
            None,
            {"permissions": None},
            {"permissions": "x"},
            {"permissions": ["x"]},
            {"permissions": [{"actions": ["*"], "notActions": "x"}]},
            {"permissions": [{"actions": ["*"], "notActions": [5]}]},
            {"permissions": [{"actions": ["*"], "condition": {}}]},
        ],
    )
    def test_a_role_that_cannot_be_read_is_none_without_limits(self, properties: Any) -> None:
        async def ask() -> None:
            azure = live(Transport(look=[Answer(200, {"id": "/x", "name": self.ROLE, "properties": properties})]))
            with pytest.raises(ReadFailedError):
                await azure.role_definitions(frozenset({self.ROLE}), GROUP)

        run(ask())
