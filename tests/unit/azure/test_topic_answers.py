"""What a topic answers, by Microsoft's own client: nobody sleeps for as long as a topic asks, and nobody else is told.
Time is the loop's own."""

import asyncio
from typing import Any

import pytest
from unit.hurried import run, seconds
from unit.scripted import Answer, Credential

from shared.azure.topic import PATIENCE_SECONDS, LiveTopic
from shared.ports import TellFailedError

TOPIC = "https://topic.westeurope-1.eventgrid.azure.net/api/events"
EVENT = {"source": "urn:a", "type": "t", "data": {}, "id": "1", "subject": "s", "time": "2026-11-29T12:00:00Z"}


class Wire:
    """Gives every request the same answer; `asked` are the addresses. Without an answer, none ever comes."""

    def __init__(self, answer: Answer | None) -> None:
        self.answer, self.asked = answer, list[str]()

    async def send(self, request: Any, **_: Any) -> Answer:
        self.asked.append(str(request.url).partition("?")[0])
        if self.answer is None:
            await asyncio.Event().wait()
        assert self.answer
        self.answer.request = request
        return self.answer

    async def sleep(self, duration: float) -> None:
        await asyncio.sleep(duration)


def sent(answer: Answer | None) -> tuple[TellFailedError | None, Wire, float]:
    """How it failed, whom it asked, and how long it took."""
    wire, failed, took = Wire(answer), list[TellFailedError](), list[float]()

    async def send() -> None:
        credential: Any = Credential()
        transport: Any = wire
        began = seconds()
        try:
            await LiveTopic(TOPIC, credential, transport).send(EVENT)
        except TellFailedError as error:
            failed.append(error)
        took.append(seconds() - began)

    run(send())
    return failed[0] if failed else None, wire, took[0]


def test_what_is_taken_is_sent_once() -> None:
    error, wire, _ = sent(Answer(200))
    assert (error, wire.asked) == (None, [TOPIC])


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("asks", ["2", "3000"])
def test_what_a_topic_asks_to_wait_is_the_work_of_the_queue(status: int, asks: str) -> None:
    error, _, took = sent(Answer(status, {"error": {"code": "Busy"}}, {"Retry-After": asks}))
    assert error
    assert error.wait.total_seconds() == int(asks)
    assert took < 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nobody_is_told_elsewhere(status: int) -> None:
    error, wire, _ = sent(Answer(status, None, {"Location": "https://elsewhere.example/api/events"}))
    assert error
    assert wire.asked == [TOPIC]


@pytest.mark.parametrize("status", [400, 404, 413, 415])
@pytest.mark.parametrize("body", [{"error": {"code": "BadRequest", "message": "someone@example.com"}}, "<html>", ""])
def test_what_is_not_taken_is_a_failure_without_azures_words(status: int, body: object) -> None:
    error, _, _ = sent(Answer(status, body))
    assert error
    assert not error.lacks_right
    assert "example.com" not in str(error)


def test_what_never_answers_ends() -> None:
    """Such as a topic that hangs at the TLS handshake."""
    error, _, took = sent(None)
    assert error
    assert PATIENCE_SECONDS <= took < PATIENCE_SECONDS + 1
