"""All walk-throughs, one after another, on one local Azure with the function app on it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from clients.local import ROOT, SUBSCRIPTION, running
from clients.results import Results
from clients.walks import identities, registries
from clients.walks.stage import POLICY, SHARED, Stage, staged

_WITHOUT_TIMER = "AzureWebJobs.sweep.Disabled=true"
WALKS: dict[str, Callable[[Stage], None]] = {
    "bring your own registry": registries.bring_your_own,
    "let Azure Machine Learning make it": registries.made_by_azure,
    "compute with a managed identity pulls": registries.compute_pulls,
    "private registry": registries.private,
    "workspace from the quickstart": identities.from_the_quickstart,
    "endpoint with aad_token": identities.called_with_tokens,
    "storage without keys": identities.storage_without_keys,
}


def _condition(policy: Path) -> str:
    """Which roles the app may assign: what a deployment with this policy sets."""
    command = [str(Path(sys.executable).with_name("amlguard")), "policy", "condition", "--policy", str(policy)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.strip()  # noqa: S603 - our own module


def played() -> Results:
    results = Results("walk-throughs")
    with TemporaryDirectory(prefix="amlguard-walks-") as name:
        policy = Path(name) / "policy.yaml"
        group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/"
        identity = f"{group}walk-private/providers/Microsoft.ManagedIdentity/userAssignedIdentities/walkbase"
        policy.write_text(POLICY.format(shared=f"{group}{SHARED}", identity=identity), "utf-8")
        options = ("--policy", str(policy), "--condition", _condition(policy), "--setting", _WITHOUT_TIMER)
        with running(*options) as local, staged(local) as stage:
            for title, walk in WALKS.items():
                error = None
                try:
                    walk(stage)
                except AssertionError as found:
                    error = f"{walk.__name__}: {found}"
                results.add(title, error)
    return results
