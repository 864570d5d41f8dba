"""HTTP in front of Azure Resource Manager, Resource Graph, logs and the managed identity endpoint."""

from dataclasses import replace

from aiohttp import web

from emulator.arm.api import Arm
from emulator.arm.call import Call
from emulator.deployment import Deployment
from emulator.errors import AzureError
from emulator.http.bodies import json_body, json_response
from emulator.http.middlewares import CORRELATION_ID, QUERIED
from emulator.http.striking import OPERATION_ENDS, TOKEN_SECONDS
from emulator.http.throttle import Throttle
from emulator.identity.rbac import Rbac
from emulator.identity.tokens import LIFETIME_SECONDS, Audience, Caller, Tokens
from emulator.ids import ResourcePath, key_of
from emulator.logs.logs import About, Logs
from emulator.names import decoded
from emulator.resource_graph.graph import ResourceGraph
from emulator.tenant import Tenant

# Those that answer with tables: 2019-04-01 was recorded, 2020-04-01-preview is specified (resourcegraph.json: data)
_WITH_TABLES = ("2020-04-01-preview", "2019-04-01")
_GRAPH_VERSIONS = ("2024-04-01", "2022-10-01", "2021-03-01", *_WITH_TABLES)
_DEPLOYMENTS = "microsoft.resources/deployments"
INGESTION = "/ingestion"
_INGESTION_VERSION = "2023-01-01"


class ArmFront:
    def __init__(self, arm: Arm, graph: ResourceGraph, tokens: Tokens, throttle: Throttle) -> None:
        self._arm = arm
        self._graph = graph
        self._tokens = tokens
        self._throttle = throttle

    async def arm(self, request: web.Request) -> web.Response:
        caller = self._tokens.verify(request.headers.get("Authorization"), Audience.ARM)
        try:
            path = ResourcePath.parse(decoded(request.rel_url.raw_path))
        except ValueError:
            message = f"The request path '{request.path}' is not valid."
            raise AzureError(404, "InvalidRequestUri", message) from None
        remaining = self._take(request.method, path.subscription, caller)
        call = Call(
            method=request.method,
            path=path,
            query={name.lower(): value for name, value in request.query.items()},
            body=await json_body(request, lenient=path.type.lower().startswith(_DEPLOYMENTS)),
            caller=caller,
            correlation_id=request[CORRELATION_ID],
            base=f"https://{request.host}",
            ends=request.get(OPERATION_ENDS),
        )
        answer = self._arm.handle(call)
        return json_response(answer.status, answer.body, {**remaining, **answer.headers})

    async def resources_query(self, request: web.Request) -> web.Response:
        """Resource Graph has a quota of its own."""
        caller = self._tokens.verify(request.headers.get("Authorization"), Audience.ARM)
        if request.query.get("api-version") not in _GRAPH_VERSIONS:
            given = request.query.get("api-version")
            if not given:
                message = "The api-version query parameter (?api-version=) is required for all requests."
                raise AzureError(400, "MissingApiVersionParameter", message)
            message = f"The api-version '{given}' is invalid. The supported versions are '{','.join(_GRAPH_VERSIONS)}'."
            raise AzureError(400, "InvalidApiVersionParameter", message)
        asked = await json_body(request)
        as_table = request.query["api-version"] in _WITH_TABLES
        body, headers = self._graph.query(caller.object_id, asked, as_table=as_table)
        shown = {name: asked.get(name) or [] for name in ("subscriptions", "managementGroups")}
        rows = body["data"] if isinstance(body["data"], list) else []
        request[QUERIED] = {**shown, "rows": [row.get("id") for row in rows]}
        return json_response(200, body, headers)

    def _take(self, method: str, subscription: str | None, caller: Caller) -> dict[str, str]:
        return {} if caller.operator else self._throttle.take(method, subscription, caller.object_id)


class LogsFront:
    def __init__(self, logs: Logs, tenant: Tenant, deployment: Deployment, tokens: Tokens, rbac: Rbac) -> None:
        self._logs = logs
        self._tenant = tenant
        self._deployment = deployment
        self._tokens = tokens
        self._rbac = rbac

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.post(f"{INGESTION}/dataCollectionRules/{{rule}}/streams/{{stream}}", self.ingest),
            web.post("/v1/workspaces/{workspace}/query", self.query),
            web.post("/v1/{resource:(?i:subscriptions)/.+}/query", self.query_resource),
        ]

    async def ingest(self, request: web.Request) -> web.Response:
        caller = self._tokens.verify(request.headers.get("Authorization"), Audience.INGESTION)
        if request.query.get("api-version") != _INGESTION_VERSION:
            raise AzureError(400, "InvalidApiVersion", f"The api-version is not {_INGESTION_VERSION}.")
        rule = request.match_info["rule"]
        if rule.lower() != self._deployment.rule_id:
            raise AzureError(404, "NotFound", f"Data collection rule with immutable Id '{rule}' not found.")
        if not caller.operator and not self._rbac.allowed(
            caller.object_id, "Microsoft.Insights/Telemetry/Write", self._deployment.rule_resource, data=True
        ):
            raise AzureError(
                403,
                "OperationFailed",
                "The authentication token provided does not have access to ingest data for the data collection rule "
                f"with immutable Id '{rule}'.",
            )
        self._logs.ingest(request.match_info["stream"], await request.read(), request.headers.get("Content-Encoding"))
        return web.Response(status=204)

    async def query(self, request: web.Request) -> web.Response:
        caller = self._tokens.verify(request.headers.get("Authorization"), Audience.LOGS_QUERY)
        workspace = request.match_info["workspace"]
        if workspace.lower() != self._deployment.workspace_id:
            raise AzureError(404, "WorkspaceNotFoundError", f"The workspace {workspace} could not be found.")
        if not caller.operator and not self._rbac.allowed(
            caller.object_id, "Microsoft.OperationalInsights/workspaces/query/read", self._deployment.workspace_resource
        ):
            raise _insufficient_access()
        return json_response(200, self._logs.query(workspace, await json_body(request)))

    async def query_resource(self, request: web.Request) -> web.Response:
        """https://learn.microsoft.com/azure/azure-monitor/logs/api/azure-resource-queries has the address, the rights
        (`microsoft.insights/logs/<table>/read`, a table at a time) and both refusals. The logs of a resource group or a
        subscription are those of what lies in it.
        """
        caller = self._tokens.verify(request.headers.get("Authorization"), Audience.LOGS_QUERY)
        resource = f"/{request.match_info['resource'].strip('/')}"
        if not self._exists(key_of(resource)):
            raise AzureError(404, "ResourceNotFoundError", f"The resource {resource} was not found")

        def may(action: str) -> bool:
            return caller.operator or self._rbac.allowed(caller.object_id, action, resource)

        if not may("Microsoft.Insights/logs/read"):
            raise _insufficient_access()
        about = About(key_of(resource), lambda table: may(f"Microsoft.Insights/logs/{table}/read"))
        if about.resource == key_of(self._deployment.workspace_resource):
            about = replace(about, resource="/")
        return json_response(200, self._logs.query(self._deployment.workspace_id, await json_body(request), about))

    def _exists(self, key: str) -> bool:
        subscription, _, below = key.removeprefix("/subscriptions/").partition("/")
        here = subscription in self._tenant.subscriptions
        return here and (not below or key in self._tenant.resources or self._tenant.resource_group_exists(key))


def _insufficient_access() -> AzureError:
    message = "The provided credentials have insufficient access to perform the requested operation"
    return AzureError(403, "InsufficientAccessError", message)


async def managed_identity(tokens: Tokens, request: web.Request) -> web.Response:
    lifetime = request.get(TOKEN_SECONDS, LIFETIME_SECONDS)
    query = dict(request.query)
    return json_response(200, tokens.managed_identity(request.headers.get("X-IDENTITY-HEADER"), query, lifetime))
