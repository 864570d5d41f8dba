"""Tokens: who gets them, and who is let in with them."""

import time

import pytest

from emulator.errors import AzureError
from emulator.identity.tokens import Audience, Caller, Tokens

ARM, MONITOR = "https://management.azure.com/", "https://monitor.azure.com"
APP = Caller("app-oid", "app-id", "amlguard")
OPERATOR = Caller("operator-oid", "operator-id", "Operator", "User", operator=True)


def tokens() -> Tokens:
    return Tokens("tenant", app=APP, operator=OPERATOR)


def bearer(token: str) -> str:
    return f"Bearer {token}"


def ask(**query: str) -> dict[str, str]:
    return {"api-version": "2019-08-01", "resource": ARM, **query}


def test_the_app_is_known_by_its_token() -> None:
    one = tokens()
    answer = one.managed_identity(one.identity_header, ask())
    assert answer["token_type"] == "Bearer"
    assert answer["resource"] == ARM
    assert int(answer["expires_on"]) > 0
    assert one.verify(bearer(answer["access_token"]), Audience.ARM) == APP
    assert one.claimed(bearer(answer["access_token"])) == APP


@pytest.mark.parametrize(
    ("header", "query", "status"),
    [
        ("wrong", ask(), 401),
        (None, ask(), 401),
        ("right", {"resource": ARM}, 400),
        ("right", ask(resource=""), 400),
        ("right", ask(client_id="another"), 400),
    ],
)
def test_no_token(header: str | None, query: dict[str, str], status: int) -> None:
    one = tokens()
    with pytest.raises(AzureError) as refused:
        one.managed_identity(one.identity_header if header == "right" else header, query)
    assert refused.value.status == status


def test_refusals() -> None:
    one = tokens()

    def code(authorization: str | None, audience: Audience = Audience.ARM) -> str:
        with pytest.raises(AzureError) as refused:
            one.verify(authorization, audience)
        assert refused.value.status == 401
        assert "WWW-Authenticate" in refused.value.headers
        return refused.value.code

    mine = one.issue(APP, ARM)["access_token"]
    assert code(None) == "AuthenticationFailed"
    assert code("Basic abc") == "AuthenticationFailed"
    assert code(bearer("abc")) == "InvalidAuthenticationToken"
    assert code(bearer(tokens().issue(APP, ARM)["access_token"])) == "InvalidAuthenticationToken"
    assert code(bearer(mine), Audience.INGESTION) == "InvalidAuthenticationTokenAudience"
    assert code(bearer(one.issue(APP, MONITOR)["access_token"])) == "InvalidAuthenticationTokenAudience"
    assert code(bearer(one.issue(APP, ARM, lifetime=-10)["access_token"])) == "ExpiredAuthenticationToken"


def test_a_token_that_was_let_in_is_refused_once_it_has_expired() -> None:
    moment = time.time()
    one = Tokens("tenant", app=APP, operator=OPERATOR, now=lambda: moment)
    mine = bearer(one.issue(APP, ARM, lifetime=3600)["access_token"])
    moment += 3599
    assert one.verify(mine, Audience.ARM) == APP
    moment += 1
    with pytest.raises(AzureError) as refused:
        one.verify(mine, Audience.ARM)
    assert refused.value.code == "ExpiredAuthenticationToken"
    assert one.claimed(mine) == APP, "who it was is still told"


@pytest.mark.parametrize("audience", list(Audience))
def test_the_operator_is_let_in_everywhere(audience: Audience) -> None:
    one = tokens()
    assert one.verify(bearer(one.operator_token()), audience).operator
