"""Faults hit what they name, as often as they say, and nothing else."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from emulator.faults.act import KEYS, PAGES, SPOILT
from emulator.faults.errors import FaultsError
from emulator.faults.faults import ENDPOINTS, LAGS, Faults

NOW = datetime(2026, 11, 28, 10, tzinfo=UTC)


def hits(
    faults: Faults, method: str = "GET", path: str = "/subscriptions/x?a=b", caller: str = "me", endpoint: str = "arm"
) -> list[int | None]:
    return [act.status for act in faults.strike(endpoint, method, path, caller)]


def test_times() -> None:
    faults = Faults([{"path": "subscriptions", "status": 500, "times": 2}])
    assert [hits(faults), hits(faults), hits(faults)] == [[500], [500], []]


def test_first_fault_that_answers_wins_and_delays_add_up() -> None:
    faults = Faults([{"delayMs": 1}, {"status": 503}, {"status": 500}])
    assert hits(faults) == [None, 503]


@pytest.mark.parametrize(
    "other", [{"method": "PUT"}, {"path": "^/other"}, {"caller": "you"}, {"times": 0}, {"endpoint": "blob"}]
)
def test_others_pass(other: dict[str, Any]) -> None:
    assert hits(Faults([{"status": 500, **other}])) == []


def test_matches_whatever_the_casing() -> None:
    assert hits(Faults([{"status": 500, "method": "get", "path": "SUBscriptions", "caller": "ME"}])) == [500]


def test_what_it_answers() -> None:
    (act,) = Faults([{"status": 429, "code": "Slow", "message": "down"}]).strike("arm", "GET", "/", "me")
    error = act.error(lambda: NOW)
    assert error is not None
    assert (error.status, error.code, error.message, error.headers) == (429, "Slow", "down", {"Retry-After": "1"})


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("soon", {"Retry-After": "soon"}),
        (None, {}),
        ("{now+30}", {"Retry-After": "Sat, 28 Nov 2026 10:00:30 GMT"}),
        ("{now-30}", {"Retry-After": "Sat, 28 Nov 2026 09:59:30 GMT"}),
        ("{now}", {"Retry-After": "Sat, 28 Nov 2026 10:00:00 GMT"}),
    ],
)
def test_its_headers_come_instead_of_those_that_it_has(given: str | None, sent: dict[str, str]) -> None:
    (act,) = Faults([{"status": 429, "headers": {"Retry-After": given}}]).strike("arm", "GET", "/", "me")
    error = act.error(lambda: NOW)
    assert error is not None
    assert error.headers == sent


def test_a_token_that_is_refused_is_challenged() -> None:
    (act,) = Faults([{"status": 401}]).strike("arm", "GET", "/", "me")
    error = act.error(lambda: NOW)
    assert error is not None
    assert error.code == "ExpiredAuthenticationToken"
    assert error.headers["WWW-Authenticate"].startswith("Bearer ")


def test_nth_call() -> None:
    faults = Faults([{"status": 500, "nth": 3, "times": 1}])
    assert [hits(faults) for _ in range(5)] == [[], [], [500], [], []]


def test_others_do_not_count_for_the_nth() -> None:
    faults = Faults([{"status": 500, "nth": 2, "method": "PUT"}])
    assert [hits(faults, "PUT"), hits(faults), hits(faults, "PUT")] == [[], [], [500]]


@pytest.mark.parametrize(("times", "played"), [({}, 4), ({"times": 6}, 6)])
def test_a_sequence_is_played_in_turn(times: dict[str, int], played: int) -> None:
    faults = Faults([{"sequence": [{"status": 500}, {}, {"delayMs": 1}, {"status": 429}], **times}])
    turns = [[500], [None], [None], [429]] * 2
    assert [hits(faults) for _ in range(8)] == turns[:played] + [[]] * (8 - played)


def test_probability_is_of_the_seed() -> None:
    once, again, other = (
        [hits(faults) for _ in range(400)]
        for faults in (Faults([{"status": 500, "probability": 0.25}], Random(seed)) for seed in (1, 1, 2))
    )
    assert once == again != other
    assert 60 < once.count([500]) < 140


def test_what_strikes_by_chance_counts_only_then() -> None:
    faults = Faults([{"status": 500, "probability": 0.5, "times": 3}], Random(3))
    assert [hits(faults) for _ in range(40)].count([500]) == 3


def test_lags() -> None:
    faults = Faults([{"graphBehindSeconds": 300, "assignmentsActAfterSeconds": 600}, {"status": 500}])
    assert [faults.lag(name) for name in LAGS] == [600, 0, 300]
    assert hits(faults) == [500]
    faults.replace([])
    assert [faults.lag(name) for name in LAGS] == [0, 0, 0]


def test_what_cannot_be_used_changes_nothing() -> None:
    faults = Faults([{"status": 500}])
    with pytest.raises(FaultsError):
        faults.replace([{"status": 503}, {"status": 1}])
    assert hits(faults) == [500]


def test_without_functions_nothing_is_there_to_kill() -> None:
    with pytest.raises(FaultsError, match="nothing to kill"):
        Faults([{"path": "x", "kill": "worker"}], kills=False)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({}, "JSON list"),
        (["x"], r"faults\[0\] is not an object"),
        ([{"status": 500}, {"stat": 1}], r"faults\[1\].stat is unknown"),
        ([{"status": "500"}], "status is not a int"),
        ([{"status": True}], "status is not a int"),
        ([{"path": "("}], "regular expression"),
        ([{"status": 99}], "not an HTTP status"),
        ([{"path": "x"}], "does nothing"),
        ([{"path": "x", "html": True}], "does nothing"),
        ([{"operation": "Lost"}], "operation is none of Succeeded, Failed, Canceled"),
        ([{"body": "[]", "drop": True}], "no status to send them with"),
        ([{"status": 500, "endpoint": "disk"}], "endpoint is none of arm, graph"),
        ([{"status": 500, "probability": 0}], "probability is not above 0"),
        ([{"status": 500, "probability": 1.5}], "at most 1"),
        ([{"status": 500, "nth": 0}], "nth is below 1"),
        ([{"status": 500, "times": -1}], "times is negative"),
        ([{"delayMs": -1}], "delayMs is negative"),
        ([{"sequence": []}], "sequence is empty"),
        ([{"sequence": [500]}], r"sequence\[0\] is not an object"),
        ([{"sequence": [{"nth": 1}]}], r"sequence\[0\].nth is unknown"),
        ([{"sequence": [{"code": "Busy"}]}], "leave it empty to let the call through"),
        ([{"sequence": [{"status": 500}], "status": 503}], "put what it does into the sequence"),
        ([{"answer": "wrong"}], "answer is none of truncated, empty"),
        ([{"connection": "lost"}], "connection is none of reset, stall, slow"),
        ([{"kill": "me"}], "kill is none of worker, host"),
        ([{"status": 500, "when": "later"}], "when is none of before, effect, answer"),
        ([{"status": 500, "after": True, "when": "answer"}], "both after and when"),
        ([{"tokenSeconds": 1}], 'needs "endpoint": "token"'),
        ([{"change": {}}], "change is not one of put, delete, remake"),
        ([{"change": {"put": {}, "delete": "/x"}}], "change is not one of"),
        ([{"change": {"put": "/x"}}], "put is not an ARM object with an id"),
        ([{"change": {"remake": "x"}}], "remake is not a resource id"),
        ([{"status": 429, "headers": {"Retry-After": "{now+soon}"}}], "is not {now}"),
        ([{"endpoint": "events", "answer": "html"}], "answer does nothing to events"),
        ([{"graphBehindSeconds": -1}], "graphBehindSeconds is negative"),
        ([{"graphBehindSeconds": 1, "path": "x"}], "path is about calls: give each an element of its own"),
        ([{"headers": {"Retry-After": "1"}, "delayMs": 1}], "no status to send them with"),
        ([{"status": 429, "headers": {"Retry-After": 1}}], "a value that is no text"),
        ([{"status": 200, "body": {"value": []}}], "body is not a str"),
        ([{"status": 200, "body": "\ud800"}], "half of a character"),
    ],
)
def test_what_is_no_list_of_faults(raw: Any, message: str) -> None:
    with pytest.raises(FaultsError, match=message):
        Faults(raw)


def test_every_example_of_the_docs_can_be_used() -> None:
    text = (Path(__file__).parents[2] / "docs" / "faults.md").read_text(encoding="utf-8")
    examples = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert len(examples) >= 4
    for example in examples:
        Faults(json.loads(example))


def test_the_docs_name_every_key_and_word() -> None:
    text = (Path(__file__).parents[2] / "docs" / "faults.md").read_text(encoding="utf-8")
    words = {
        *KEYS,
        *LAGS,
        *ENDPOINTS,
        *SPOILT,
        *PAGES,
        "method",
        "path",
        "caller",
        "endpoint",
        "nth",
        "times",
        "sequence",
    }
    assert {word for word in words if f"`{word}`" not in text} == set()


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text('[{"status": 500}]')
    assert hits(Faults.load(file)) == [500]
    file.write_text("[")
    with pytest.raises(FaultsError, match=r"faults\.json"):
        Faults.load(file)
