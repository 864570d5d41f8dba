"""azure-ai-ml: the operations of `azureml.py`."""

import json
import subprocess
from pathlib import Path

from clients.local import CLIENTS, Local
from clients.results import Expected, Results

_HERE = Path(__file__).parent
CLOUD = "AmlGuardLocal"
_GROUP = "clients"
_EXPECTED = {
    # the client sends `PublicNetworkAccessType.ENABLED`, which its own template does not allow
    "project create": Expected.REFUSED,
    # the scoring URI leads to a data plane, which is not served
    "batch endpoint invoke": Expected.FAILS,
}


def carry_out(local: Local) -> Results:
    results = Results("azureml")
    _prepare(local)
    sign_in = {**local.sign_in, "cloud": CLOUD}
    command = [str(CLIENTS), str(_HERE / "azureml.py"), json.dumps(sign_in)]
    with subprocess.Popen(command, env=environment(local), stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        assert process.stdout
        for line in process.stdout:
            name, error = json.loads(line)
            results.add(name, error, _EXPECTED.get(name, Expected.WORKS))
    return results


def environment(local: Local) -> dict[str, str]:
    """As docs/emulator.md tells people to set it for azure-ai-ml."""
    url = f"{local.ready['arm']}/metadata/endpoints?api-version=2019-05-01"
    return {**local.environment(), "ARM_CLOUD_METADATA_URL": url}


def _prepare(local: Local) -> None:
    """What is there before: a group and an identity."""
    group = f"/subscriptions/{local.sign_in['subscriptionId']}/resourceGroups/{_GROUP}"
    local.put(group, "2022-09-01")
    local.put(f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/clientsuai", "2023-01-31")
