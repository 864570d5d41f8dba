"""A small ARM and SCM site over TLS, which answer as Azure's do of one Function App, and tell what they were asked.

Where from: Microsoft's clients (azd's funcapp_host_client.go with its tests, the Azure CLI, the GitHub action) for
/api/publish and /api/deployments; App Service's access restrictions for 403 with `x-ms-forbidden-ip`, and for the rule
of the lowest priority that config/web lists for the default action.
"""

import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

APP = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg/providers/Microsoft.Web/sites/func"
TOKEN = "the-deployers-token"
OWN = "203.0.113.7"


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


# The connection breaks without an answer.
BROKEN = Reply(0)


def status(number: int, **more: str) -> Reply:
    return Reply(200, {"id": "dep-1", "status": number, "status_text": "", "complete": number > 2, **more})


ACCEPTED = Reply(202, "dep-1")
SUCCEEDED = status(4)
DEFAULT_RULE = {"ipAddress": "Any", "action": "Deny", "priority": 2147483647, "name": "Deny all"}


@dataclass
class Azure:
    """`publishes` and `polls` are answered in turn, the last one for ever."""

    publishes: list[Reply] = field(default_factory=lambda: [ACCEPTED])
    polls: list[Reply] = field(default_factory=lambda: [SUCCEEDED])
    functions: list[Reply] = field(default_factory=lambda: [Reply(200, {"value": [{"name": "func/resource_changed"}]})])
    patches: list[Reply] = field(default_factory=lambda: [Reply(200, {})])
    seen_as: list[str] = field(default_factory=lambda: [OWN])
    closed: bool = False
    rules_act_after: float = 0
    rules: list[dict[str, Any]] = field(default_factory=list)
    providers: dict[str, list[str]] = field(default_factory=dict)
    when_polled: Callable[[], None] = lambda: None
    log: Reply = field(default_factory=lambda: Reply(200, []))
    time: float = 0.0
    slept: list[float] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    packages: list[bytes] = field(default_factory=list)
    publish_headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    _acting: list[tuple[float, list[dict[str, Any]]]] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def asked(self, method: str, part: str) -> int:
        return sum(one == method and part in path for one, path in self.requests)

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self.requests.append((method, path))
        path = path.partition("?")[0]
        if path.startswith("/api/"):
            return self._refused() or self._scm(method, path, headers, body)
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return Reply(401, {"error": {"code": "InvalidAuthenticationToken"}})
        return self._arm(method, path, body)

    def _refused(self) -> Reply | None:
        address = _next(self.seen_as)
        acting = [rules for since, rules in self._acting if since + self.rules_act_after <= self.time]
        allowed = [rule["ipAddress"] for rule in (acting[-1] if acting else [])]
        if not self.closed or any(ipaddress.ip_address(address) in ipaddress.ip_network(one) for one in allowed):
            return None
        return Reply(403, "<h1>Error 403 - Forbidden</h1>", {"x-ms-forbidden-ip": address})

    def _scm(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return Reply(401)
        if (method, path) == ("POST", "/api/publish"):
            self.packages.append(body)
            self.publish_headers = dict(headers)
            return _next(self.publishes)
        if path == "/api/deployments/dep-1/log":
            return self.log
        if path == "/api/deployments/dep-1":
            self.when_polled()
            return _next(self.polls)
        return Reply(404)

    def _arm(self, method: str, path: str, body: bytes) -> Reply:
        hosts = [{"name": "app.invalid", "hostType": "Standard"}, {"name": self.url[8:], "hostType": "Repository"}]
        if "/providers/" in path and "Microsoft.Web/sites" not in path:
            return self._provider(method, path)
        if (method, path) == ("PATCH", f"{APP}/config/web"):
            reply = _next(self.patches)
            if reply.status == 200:
                self.rules = json.loads(body)["properties"]["scmIpSecurityRestrictions"]
                self._acting.append((self.time, self.rules))
            return reply
        return {
            APP: Reply(200, {"id": APP, "properties": {"hostNameSslStates": hosts}}),
            f"{APP}/functions": _next(self.functions),
            f"{APP}/config/web": Reply(200, {"properties": self._restrictions()}),
        }.get(path) or Reply(404, {"error": {"code": "ResourceNotFound"}})

    def _restrictions(self) -> dict[str, Any]:
        return {
            "scmIpSecurityRestrictionsDefaultAction": "Deny" if self.closed else "Allow",
            "scmIpSecurityRestrictionsUseMain": False,
            "scmIpSecurityRestrictions": [*self.rules, DEFAULT_RULE],
        }

    def _provider(self, method: str, path: str) -> Reply:
        subscription, namespace = path.split("/")[2], path.split("/")[4]
        states = self.providers.setdefault(f"{subscription}/{namespace}", ["Registered"])
        if method == "POST":
            return Reply(403, {"error": {"code": "AuthorizationFailed"}}) if states == ["Forbidden"] else Reply(200, {})
        state = states.pop(0) if len(states) > 1 else states[0]
        return Reply(200, {"namespace": namespace, "registrationState": state})


def _next[T](replies: list[T]) -> T:
    return replies.pop(0) if len(replies) > 1 else replies[0]


@contextmanager
def served(azure: Azure, folder: Path) -> Iterator[str]:
    """Gives the file of the authority that signed its certificate; `azure.url` is where it listens."""
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(azure))
    server.daemon_threads = True
    # A client that is stopped in the middle of a handshake keeps the thread that serves it, and nobody else's.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    azure.url = f"https://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.05}).start()
    try:
        yield str(folder / "ca.pem")
    finally:
        server.shutdown()
        server.server_close()


def _handler(azure: Azure) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = azure.answer(self.command, self.path, dict(self.headers), body)
            if reply is BROKEN:
                self.close_connection = True
                return
            sent = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Length": str(len(sent))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - http.server asks for these names

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    return Handler
