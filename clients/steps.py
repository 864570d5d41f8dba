"""Runs in .venv-az: single steps with azure-ai-ml's MLClient, for the walk-throughs.

The first argument is the sign-in of the local Azure, as JSON. Each line of stdin has a step and what it is given, each
answer is one line: the error, or null.
"""

import contextlib
import io
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from azure.ai.ml import MLClient, command
from azure.ai.ml.entities import (
    AmlCompute,
    AzureBlobDatastore,
    Environment,
    IdentityConfiguration,
    ManagedIdentityConfiguration,
    ManagedOnlineEndpoint,
    Workspace,
    WorkspaceConnection,
)
from azure.identity import ClientSecretCredential

REGION = "westeurope"
WAIT_SECONDS = 120


class Steps:
    def __init__(self, sign_in: dict[str, str]) -> None:
        self._sign_in = sign_in
        self._credential = ClientSecretCredential(
            sign_in["tenantId"],
            sign_in["clientId"],
            sign_in["clientSecret"],
            authority=sign_in["authority"],
            disable_instance_discovery=True,
        )

    def _ml(self, group: str, workspace: str | None = None) -> MLClient:
        who = self._sign_in
        return MLClient(self._credential, who["subscriptionId"], group, workspace, cloud=who["cloud"])

    def workspace(self, group: str, name: str, **more: str) -> Any:
        """`more` are ids: container_registry, storage_account, key_vault; and system_datastores_auth_mode."""
        made = Workspace(name=name, location=REGION, **more)
        return self._ml(group).workspaces.begin_create(made)

    def cluster(self, group: str, workspace: str, name: str, identity: str | None = None) -> Any:
        made = AmlCompute(name=name, size="STANDARD_DS3_V2", max_instances=2, identity=_identity(identity))
        return self._ml(group, workspace).compute.begin_create_or_update(made)

    def environment(self, group: str, workspace: str, name: str, image: str) -> Any:
        return self._ml(group, workspace).environments.create_or_update(Environment(name=name, image=image))

    def job(self, group: str, workspace: str, name: str, compute: str, environment: str) -> Any:
        made = command(name=name, command="echo hello", compute=compute, environment=f"azureml:{environment}:1")
        return self._ml(group, workspace).jobs.create_or_update(made)

    def datastore(self, group: str, workspace: str, name: str, account: str) -> Any:
        made = AzureBlobDatastore(name=name, account_name=account, container_name="data")
        return self._ml(group, workspace).datastores.create_or_update(made)

    def endpoint(self, group: str, workspace: str, name: str, mode: str, identity: str | None = None) -> Any:
        made = ManagedOnlineEndpoint(name=name, auth_mode=mode, identity=_identity(identity), location=REGION)
        return self._ml(group, workspace).online_endpoints.begin_create_or_update(made)

    def connection(self, group: str, workspace: str, name: str, target: str, identity: str, client: str) -> Any:
        """To a registry, with a user-assigned identity."""
        credentials = ManagedIdentityConfiguration(resource_id=identity, client_id=client)
        made = WorkspaceConnection(name=name, type="container_registry", target=target, credentials=credentials)
        return self._ml(group, workspace).connections.create_or_update(made)


def _identity(wanted: str | None) -> IdentityConfiguration | None:
    """`system`, or the id of a user-assigned one."""
    if wanted is None:
        return None
    if wanted == "system":
        return IdentityConfiguration(type="system_assigned")
    own = ManagedIdentityConfiguration(resource_id=wanted)
    return IdentityConfiguration(type="user_assigned", user_assigned_identities=[own])


def _carried_out(step: Callable[..., Any], given: dict[str, str]) -> str | None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            begun = step(**given)
            if callable(getattr(begun, "result", None)):  # of a job it is something else
                begun.result(WAIT_SECONDS)
        except BaseException as found:  # noqa: BLE001 - whatever a client says is what is asked
            return f"{type(found).__name__}: {found}"
    return None


def main(sign_in: dict[str, str], lines: Iterable[str]) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    steps, answers = Steps(sign_in), sys.stdout
    for line in lines:
        name, given = json.loads(line)
        answers.write(json.dumps(_carried_out(getattr(steps, name), given)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.stdin)
