"""What the logs show in use, as KQL over the log workspace, and what an answer says.

Each query unites its table with an empty one that has the same columns. So it is not an error if nobody fills the table
yet, or if rows lack a column.
"""

from collections.abc import Iterable
from datetime import datetime

from shared.access.model import Raw, Want
from shared.access.quoting import kql
from shared.access.scope import Scope

_TRAFFIC = "TimeGenerated:datetime, EndpointName:string, AuthType:string, UserAgent:string, _ResourceId:string"
_LOGINS = "TimeGenerated:datetime, Identity:string, ResultDescription:string"


def key_calls(workspace: Scope, endpoints: Iterable[str], days: int) -> Want:
    """One row for each endpoint that somebody called with a key: EndpointName, Calls, Last, UserAgent."""
    names = ", ".join(map(kql, endpoints))
    return Want(
        workspace,
        query=f"union isfuzzy=true (datatable({_TRAFFIC})[]), AmlOnlineEndpointTrafficLog, AmlOnlineEndpointTrafficLogs"
        f" | where TimeGenerated > ago({days}d) and AuthType =~ 'Key' and EndpointName in~ ({names})"
        f" and (isempty(_ResourceId) or strcat(_ResourceId, '/') startswith {kql(f'{workspace.key}/')})"
        " | summarize Calls = count(), arg_max(TimeGenerated, UserAgent) by EndpointName"
        " | project EndpointName, Calls, Last = TimeGenerated, UserAgent",
    )


def admin_logins(registry: Scope, days: int) -> Want:
    """At most one row: Logins (those that the registry let in), Last. The admin user is named like the registry."""
    return Want(
        registry,
        query=f"union isfuzzy=true (datatable({_LOGINS})[]), ContainerRegistryLoginEvents"
        f" | where TimeGenerated > ago({days}d) and Identity =~ {kql(registry.name)}"
        " and not(ResultDescription startswith '4')"
        " | summarize Logins = count(), Last = max(TimeGenerated) | where Logins > 0",
    )


def moment(row: Raw, column: str) -> str:
    """To the minute, for people. The SDK gives datetimes; in the raw answer it is text."""
    value = row.get(column)
    written = value.isoformat() if isinstance(value, datetime) else str(value or "")
    return f"{written[:16].replace('T', ' ')} UTC" if written else "an unknown time"
