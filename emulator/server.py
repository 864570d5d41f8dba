"""The local Azure: everything put together, and served over TLS on 127.0.0.1."""

import ssl
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from emulator import app_settings, metadata
from emulator.arm import routes
from emulator.authority import Authority, SignIn
from emulator.clock import Clock
from emulator.control import Control
from emulator.deployment import deploy
from emulator.directory import Directory
from emulator.events import EventGrid
from emulator.faults.faults import Faults
from emulator.fronts import INGESTION, ArmFront, LogsFront, managed_identity
from emulator.functions.azurite import ACCOUNT
from emulator.functions.errors import HostSettingsError
from emulator.functions.host import FunctionsHost
from emulator.history import History
from emulator.http import seen
from emulator.http.middlewares import Middlewares
from emulator.http.request_log import RequestLog
from emulator.http.striking import Strikes
from emulator.http.throttle import LIMITS, WIDE, Throttle
from emulator.identity.rbac import Rbac
from emulator.identity.tokens import Caller, Tokens
from emulator.kept import Kept
from emulator.logs.logs import Logs
from emulator.logs.telemetry import TelemetryFront
from emulator.options import Options
from emulator.processes import PROCESSES, Processes
from emulator.resource_graph.graph import ResourceGraph
from emulator.seeded_values import SeededValues
from emulator.storage import StorageFront
from emulator.tenant import Tenant
from emulator.topics import Topic, TopicFront

_HOST = "127.0.0.1"
_MOST_BYTES = 4 * 1024 * 1024


class LocalAzure:
    """Built without I/O except for the files that the options name. `start` opens the ports."""

    # long: one line for each part of the local Azure
    def __init__(self, options: Options, run_dir: Path, processes: Processes = PROCESSES) -> None:
        self.options = options
        self._processes = processes
        self.run_dir = run_dir
        self.clock = Clock()
        self.kept = Kept(options.state)
        kept = self.kept.secrets
        self.made_up = SeededValues(options.seed, kept.starts)
        self.tenant = Tenant.load(self.kept.tenant(options.tenant))
        self.faults = Faults.load(options.faults, self.made_up.random("faults"), kills=options.functions)
        self.deployment = deploy(self.tenant, self.made_up, options.access, options.condition, options.watched)
        operator = Caller(self.made_up.guid("operator"), self.made_up.guid("operator client"), "Operator", "User", True)
        self.tokens = Tokens(
            self.tenant.tenant_id,
            app=self.deployment.app,
            operator=operator,
            key=kept.tokens,
            identity_header=kept.identity_header,
        )
        self.sign_in = SignIn(operator, kept.operator)
        self.history = History(self.tenant, self.clock, self.faults.lag)
        self.rbac = Rbac(self.tenant, self.history)
        self.requests = RequestLog()
        self.events = EventGrid(self.clock, self.made_up.random("event grid"), None, options.operations)
        self.events.faults = self.faults
        self.logs = Logs(self.tenant.logs, self.clock, *options.tables)
        self.graph = ResourceGraph(
            self.tenant, self._can_read, self.clock, throttles=options.throttle, history=self.history
        )
        seconds = options.operation_ms / 1000
        self.arm = routes.build(
            self.tenant,
            self.rbac,
            self.clock,
            self.made_up,
            self.events.publish,
            operation_seconds=seconds,
            history=self.history,
        )
        self.strikes = Strikes(self.faults, self.clock, self.arm.changes.make, self._kill)
        topics = {"amlguard": Topic(self.deployment.topic_resource)}
        self.topics = TopicFront(topics, self.tokens, self.rbac)
        self.functions: FunctionsHost | None = None
        self.url = self.identity_url = self.data_url = self.storage_connection = ""
        self.ca = (options.state or run_dir) / "ca.pem"
        self._running = AsyncExitStack()

    async def start(self) -> None:
        """Opens everything, or nothing if something fails."""
        async with AsyncExitStack() as stack:
            middlewares = Middlewares(
                self.clock,
                self.made_up,
                self.tokens,
                self.requests,
                self.strikes,
                self.options.latency_ms,
                seen.wanted(),
            )
            azure = web.Application(middlewares=middlewares.all(), client_max_size=_MOST_BYTES)
            azure.add_routes(self._routes())
            identity = web.Application(middlewares=middlewares.without_latency())
            identity.add_routes([web.get("/msi/token", partial(managed_identity, self.tokens))])
            tls = self._certificate()
            port = await _serve(stack, azure, self.options.port or self.kept.secrets.port, tls)
            self.url = self.tokens.arm = f"https://{_HOST}:{port}"
            self.identity_url = f"http://{_HOST}:{await _serve(stack, identity, 0, None)}/msi/token"
            if self.options.functions:
                await self._start_data_plane(stack, tls, middlewares)
                await self._start_functions(stack)
            await self.events.start()
            stack.push_async_callback(self.events.stop)
            self.kept.started(port, urlsplit(self.functions.url).port or 0 if self.functions else 0)
            stack.callback(self._keep)
            self._running = stack.pop_all()

    async def stop(self) -> None:
        await self._running.aclose()

    def _keep(self) -> None:
        """What is under way ends first."""
        self.arm.provisioning.end_all()
        self.kept.ended(self.tenant.document())

    async def _kill(self, what: str) -> None:
        if self.functions and what == "host":
            await self.functions.restart()
        elif self.functions:
            self.functions.kill_workers()

    def ready(self) -> dict[str, Any]:
        """The line that says so.

        `storage` leads to queues and blobs without any check of rights, for tests and tools.
        """
        return {
            "ready": True,
            "arm": self.url,
            "functions": self.functions.url if self.functions else None,
            "ca": str(self.ca),
            "operatorToken": self.tokens.operator_token(),
            "storage": self.storage_connection,
            "env": self.environment(),
            "signIn": {
                "authority": self.url,
                "tenantId": self.tenant.tenant_id,
                "clientId": self.sign_in.caller.app_id,
                "clientSecret": self.sign_in.secret,
                "subscriptionId": next(iter(self.tenant.subscriptions)),
            },
        }

    def environment(self) -> dict[str, str]:
        """What a client needs in its environment to act as the function app's identity."""
        deployed = app_settings.deployed(app_settings.written(), self._known())
        local = {
            "AMLGUARD_LOGS_QUERY_ENDPOINT": f"{self.url}/v1",
            "AMLGUARD_POLICY": str(self.options.policy.resolve()) if self.options.policy else "",
            "AMLGUARD_EVENTS_TOPIC": f"{self.url}/topics/amlguard/api/events" if self.options.topic else "",
            "IDENTITY_ENDPOINT": self.identity_url,
            "IDENTITY_HEADER": self.tokens.identity_header,
            "SSL_CERT_FILE": str(self.ca),
            "REQUESTS_CA_BUNDLE": str(self.ca),
        }
        given = {name: value for name, value in (deployed | local).items() if value}
        return given | dict(self.options.settings)

    def _known(self) -> dict[str, str]:
        """What only Azure knows about the deployment, as it is here. Empty for what runs only beside the functions."""
        data, key = self.data_url, self.deployment.insights_key
        telemetry = f"InstrumentationKey={key};IngestionEndpoint={data}/" if data else ""
        return {
            "Microsoft.Storage/storageAccounts primaryEndpoints.blob": f"{data}/blob/{ACCOUNT}/" if data else "",
            "Microsoft.Storage/storageAccounts primaryEndpoints.queue": f"{data}/queue/{ACCOUNT}/" if data else "",
            "Microsoft.Insights/components ConnectionString": telemetry,
            "environment().resourceManager": self.url,
            "Microsoft.Insights/dataCollectionEndpoints logsIngestion.endpoint": self.url + INGESTION,
            "Microsoft.Insights/dataCollectionRules immutableId": self.deployment.rule_id,
            "Microsoft.OperationalInsights/workspaces customerId": self.deployment.workspace_id,
        }

    def _routes(self) -> list[web.AbstractRouteDef]:
        throttle = Throttle(time.monotonic, LIMITS if self.options.throttle else WIDE)
        front = ArmFront(self.arm, self.graph, self.tokens, throttle)
        logs = LogsFront(self.logs, self.tenant, self.deployment, self.tokens, self.rbac)
        control = Control(
            self.tenant,
            self.clock,
            self.tokens,
            self.requests,
            self.faults,
            self.events,
            self.topics.topics,
            lambda: self.functions,
        )
        authority = Authority(self.tenant.tenant_id, self.tokens, [self.sign_in, *self._service_principals()])
        return [
            *control.routes(),
            *authority.routes(),
            *Directory(self.tenant, self.tokens).routes(),
            web.get("/metadata/endpoints", metadata.endpoints),
            web.post("/{_:(?i:providers/microsoft.resourcegraph/resources)}", front.resources_query),
            *logs.routes(),
            *self.topics.routes(),
            web.route("*", "/{_:.*}", front.arm),
        ]

    def _service_principals(self) -> Iterator[SignIn]:
        """Those of the tenant file that have an `appId` and a `secret`."""
        for one in self.tenant.principals.values():
            if one.get("appId") and one.get("secret"):
                name = str(one.get("displayName") or one["appId"])
                yield SignIn(Caller(one["id"], one["appId"], name), one["secret"])

    def _can_read(self, principal: str, resource: str) -> bool:
        return principal == self.tokens.operator.object_id or self.rbac.can_read(principal, resource)

    def _certificate(self) -> ssl.SSLContext:
        authority = self.kept.secrets.authority
        authority.cert_pem.write_to_path(str(self.ca))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(_HOST, "localhost").configure_cert(context)
        return context

    async def _start_data_plane(self, stack: AsyncExitStack, tls: ssl.SSLContext, middlewares: Middlewares) -> None:
        """Storage account and Application Insights: not in the log of requests, as the host asks of them again and
        again.
        """
        azurite = self._processes.storage(self.clock, self.run_dir)
        await azurite.start()
        stack.push_async_callback(azurite.stop)
        self.storage_connection = azurite.connection_string
        storage = StorageFront(azurite.endpoints, self.tokens, self.rbac, self.deployment.storage_resource)
        await stack.enter_async_context(storage)
        component = self.deployment.insights_resource
        telemetry = TelemetryFront(self.tenant.logs, self.clock, self.tokens, self.rbac, component)
        application = web.Application(middlewares=middlewares.unlogged(), client_max_size=_MOST_BYTES)
        application.add_routes([*storage.routes(), *telemetry.routes()])
        self.data_url = f"https://{_HOST}:{await _serve(stack, application, 0, tls)}"

    async def _start_functions(self, stack: AsyncExitStack) -> None:
        options = self.options
        environment = self.environment()
        app_settings.check(environment)
        host = FunctionsHost(
            options.app,
            environment,
            options.functions_port or self.kept.secrets.functions_port,
            self.clock,
            self.run_dir,
            options.workers,
            self._processes.worker,
        )
        await host.start()
        stack.push_async_callback(host.stop)
        if host.function_errors:  # Azure would run the rest, but whoever starts a local Azure wants to know at once
            errors = (f"The '{name}' function is in error: {error}" for name, error in host.function_errors.items())
            raise HostSettingsError("\n".join(errors))
        self.functions = host
        self.events.webhook = f"{host.url}/runtime/webhooks/EventGrid?functionName=resource_changed"


async def _serve(stack: AsyncExitStack, application: web.Application, port: int, tls: ssl.SSLContext | None) -> int:
    """The port on which it listens."""
    # Bodies stay as they were sent, because the Logs Ingestion API has rules of its own for compressed bodies.
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1, auto_decompress=False)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, _HOST, port, ssl_context=tls).start()
    return int(runner.addresses[0][1])
