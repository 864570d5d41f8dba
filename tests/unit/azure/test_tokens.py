"""A token is waited for no longer than any other answer, whatever the service that gives it asks for.

Time is the loop's own.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import ServiceResponseError
from azure.identity.aio import ManagedIdentityCredential
from unit.build import REGISTRY
from unit.hurried import run, seconds
from unit.scripted import ARM, Answer, Transport

from shared.azure.azure import LiveAzure
from shared.azure.session import PUBLIC, credential
from shared.ports import ReadFailedError

_SCOPE = PUBLIC.arm_scope
_AN_HOUR = Answer(429, {"error": "too many requests"}, {"Retry-After": "3600"})
type Answers = Callable[[], Any]


class _After:
    """A token comes after so many seconds."""

    def __init__(self, delay: float) -> None:
        self._delay = delay

    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        await asyncio.sleep(self._delay)
        return AccessToken("token", 2**31)

    async def get_token_info(self, *_: str, **__: Any) -> AccessTokenInfo:
        await asyncio.sleep(self._delay)
        return AccessTokenInfo("token", 2**31)

    async def close(self) -> None:
        pass


def _managed_identity() -> Any:
    """The SDK's own, of a service that asks to come back in an hour."""
    return ManagedIdentityCredential(transport=Transport(look=[_AN_HOUR]))


def _asking(answers: Answers) -> Any:
    """amlguard's credential, as it is when `answers` is what the machine has."""
    made: Any = credential()
    made.credentials = (answers(),)
    return made


@pytest.fixture(autouse=True)
def _in_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://identity/token")
    monkeypatch.setenv("IDENTITY_HEADER", "secret")


@pytest.mark.parametrize("how", ["get_token", "get_token_info"])
@pytest.mark.parametrize("answers", [lambda: _After(10_000), _managed_identity], ids=["silent", "asks to wait"])
def test_one_that_does_not_come_is_an_answer_that_does_not_come(answers: Answers, how: str) -> None:
    async def work() -> None:
        with pytest.raises(ServiceResponseError):
            await getattr(_asking(answers), how)(_SCOPE)
        assert seconds() < 90

    run(work())


@pytest.mark.parametrize("how", ["get_token", "get_token_info"])
def test_one_that_comes_slowly_is_waited_for(how: str) -> None:
    async def work() -> None:
        assert (await getattr(_asking(lambda: _After(45)), how)(_SCOPE)).token == "token"

    run(work())


@pytest.mark.parametrize("answers", [lambda: _After(10_000), _managed_identity], ids=["silent", "asks to wait"])
def test_a_read_without_a_token_is_one_that_failed(answers: Answers) -> None:
    """Nothing is sent without one."""

    async def work() -> None:
        wire: Any = Transport(look=[Answer(200, {"id": str(REGISTRY)})])
        azure = LiveAzure(ARM, PUBLIC, _asking(answers), wire, None)
        with pytest.raises(ReadFailedError):
            await azure.resource(REGISTRY)
        assert wire.asked == []
        assert seconds() < 300  # the host would end the function after 600

    run(work())
