"""Errors in words: what nobody foresaw is told without what it says, which may be anything."""

import pytest
from azure.core.exceptions import ClientAuthenticationError

from handlers.cli.complaints import in_words
from handlers.cli.console import one_line
from shared.azure.errors import reading
from shared.ports import ReadFailedError


def test_a_fault_of_our_own_names_the_place_and_repeats_nothing() -> None:
    try:
        ReadFailedError("x")  # type: ignore[call-arg]  # the fault is meant
    except TypeError as error:
        said = in_words(error, {})
    assert "TypeError at tests/unit/handlers/cli/test_complaints_in_words.py:" in said
    assert "missing" not in said


def test_a_setting_is_named_and_its_value_is_not() -> None:
    error = ReadFailedError("read", "x", "host q.example could not be reached")
    said = in_words(error, {"AzureWebJobsStorage": "AccountKey=abc;QueueEndpoint=https://q.example/"})
    assert said.endswith("[see AzureWebJobsStorage]")
    assert "abc" not in said
    assert "[see" not in in_words(error, {"AzureWebJobsStorage": "https://other.example"})


def test_an_error_is_one_line_that_moves_nothing() -> None:
    assert one_line("a\n  b\x1b[2Jc\u202e中") == "a b\\x1b[2Jc\\u202e中"


def test_what_entra_refuses_keeps_its_code_and_nothing_else() -> None:
    """As azure-identity 1.25 passes it on."""
    told = "EnvironmentCredential: Authentication failed: AADSTS7000215: Invalid client secret provided for app 'jane'."
    with pytest.raises(ReadFailedError) as raised, reading("sign in"):
        raise ClientAuthenticationError(told)
    said = in_words(raised.value, {})
    assert "AADSTS7000215" in said
    assert "az login" in said
    assert "jane" not in said
