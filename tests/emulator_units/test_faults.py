"""Faults hit what they name, as often as they say, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from emulator.http.faults import Faults, FaultsError


def hits(
    faults: Faults, method: str = "GET", path: str = "/subscriptions/x?a=b", caller: str = "me"
) -> list[int | None]:
    return [fault.status for fault in faults.strike(method, path, caller)]


def test_times() -> None:
    faults = Faults([{"path": "subscriptions", "status": 500, "times": 2}])
    assert [hits(faults), hits(faults), hits(faults)] == [[500], [500], []]


def test_first_fault_that_answers_wins_and_delays_add_up() -> None:
    faults = Faults([{"delayMs": 1}, {"status": 503}, {"status": 500}])
    assert hits(faults) == [None, 503]


@pytest.mark.parametrize("other", [{"method": "PUT"}, {"path": "^/other"}, {"caller": "you"}, {"times": 0}])
def test_others_pass(other: dict[str, Any]) -> None:
    assert hits(Faults([{"status": 500, **other}])) == []


def test_matches_whatever_the_casing() -> None:
    assert hits(Faults([{"status": 500, "method": "get", "path": "SUBscriptions", "caller": "ME"}])) == [500]


def test_what_it_answers() -> None:
    (fault,) = Faults([{"status": 429, "code": "Slow", "message": "down"}]).strike("GET", "/", "me")
    error = fault.error()
    assert error is not None
    assert (error.status, error.code, error.message, error.headers) == (429, "Slow", "down", {"Retry-After": "1"})


def test_its_headers_come_instead_of_those_that_it_has() -> None:
    (fault,) = Faults([{"status": 429, "headers": {"Retry-After": "soon"}}]).strike("GET", "/", "me")
    error = fault.error()
    assert error is not None
    assert error.headers == {"Retry-After": "soon"}


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
        ([{"headers": {"Retry-After": "1"}, "delayMs": 1}], "no status to send them with"),
        ([{"status": 429, "headers": {"Retry-After": 1}}], "a value that is no text"),
        ([{"status": 200, "body": {"value": []}}], "body is not a str"),
        ([{"status": 200, "body": "\ud800"}], "half of a character"),
    ],
)
def test_what_is_no_list_of_faults(raw: Any, message: str) -> None:
    with pytest.raises(FaultsError, match=message):
        Faults(raw)


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text('[{"status": 500}]')
    assert hits(Faults.load(file)) == [500]
    file.write_text("[")
    with pytest.raises(FaultsError, match=r"faults\.json"):
        Faults.load(file)
