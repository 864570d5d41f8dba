"""Azure's REST APIs with Python's standard library only, because it runs before anything is installed.

Requests are made as whoever is signed in to the Azure CLI, or else to azd. The client returns every answer as it is:
the caller decides what a status means. It does not follow redirects.
"""

import json
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from typing import Any, BinaryIO

# Short enough for any token: the Azure CLI and azd renew a token that has less than five minutes left.
_TOKEN_SECONDS = 240


class NotSignedInError(Exception):
    """The message says what to do."""


class UnreachableError(Exception):
    """No answer arrived: a name does not resolve yet, or a connection broke."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str] | Message
    body: bytes

    def text(self) -> str:
        return self.body.decode("utf-8", "replace").strip()

    def json(self) -> Any:
        """None if the body is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def wait(self, default: float) -> float:
        """The number of seconds to wait before asking again."""
        said = self.headers.get("Retry-After") or ""
        return float(said) if said.isdecimal() else default


@dataclass(frozen=True)
class Clock:
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class _AsItIs(urllib.request.HTTPErrorProcessor):
    """No status raises an exception, and no redirect is followed, so that the token goes nowhere else."""

    def http_response(self, request: urllib.request.Request, response: HTTPResponse) -> HTTPResponse:  # noqa: ARG002 - urllib's
        return response

    https_response = http_response


class Client:
    """Sends requests with a token for ARM. The SCM sites of function apps accept the same token."""

    def __init__(self, token: Callable[[], str], clock: Clock | None = None) -> None:
        self._token, self._clock = token, clock or Clock()
        self._kept: tuple[float, str] | None = None
        https = urllib.request.HTTPSHandler(context=ssl.create_default_context())
        self._opener = urllib.request.build_opener(https, _AsItIs)

    def send(
        self,
        method: str,
        url: str,
        body: bytes | BinaryIO | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        signed: bool = True,
        seconds: float = 60,
    ) -> Answer:
        """Raises `UnreachableError` and `NotSignedInError`."""
        if not url.startswith("https://"):
            raise UnreachableError(f"{url} is not an https address, and a token goes nowhere else")
        sent = {"Accept": "application/json", **(headers or {})}
        if signed:
            sent["Authorization"] = f"Bearer {self._fresh_token()}"
        request = urllib.request.Request(url, body, sent, method=method)  # noqa: S310 - https, see above
        try:
            with self._opener.open(request, timeout=seconds) as response:
                return Answer(response.status, response.headers, response.read())
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise UnreachableError(f"{method} {url.partition('?')[0]}: {reason}") from error

    def send_json(self, method: str, url: str, document: Any = None) -> Answer:
        body = None if document is None else json.dumps(document).encode()
        return self.send(method, url, body, {"Content-Type": "application/json"})

    def _fresh_token(self) -> str:
        now = self._clock.now()
        if self._kept is None or now > self._kept[0]:
            self._kept = (now + _TOKEN_SECONDS, self._token())
        return self._kept[1]


def signed_in(subscription: str) -> Callable[[], str]:
    """A token for whoever is signed in to the Azure CLI, if this subscription is theirs, or else to azd."""
    ways: Sequence[tuple[Sequence[str], str]] = (
        (("az", "account", "get-access-token", "--subscription", subscription, "--output", "json"), "accessToken"),
        (("azd", "auth", "token", "--output", "json"), "token"),
    )

    def token() -> str:
        """Raises `NotSignedInError`."""
        for command, key in ways:
            program = shutil.which(command[0])
            if program is None:
                continue
            done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)  # noqa: S603 - a GUID
            if done.returncode == 0:
                found: str = json.loads(done.stdout)[key]
                return found
        raise NotSignedInError(
            f"Nobody is signed in who knows the subscription {subscription}: run `az login` (or `azd auth login`), and "
            "try again."
        )

    return token
