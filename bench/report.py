"""The report of a large tenant in a real Chromium: how long until it can be used, and until what is typed is found."""

import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.browser import Browser, found
from bench.figure import Figure
from handlers.cli.formats.view import view
from handlers.cli.page.build import Besides, page

WORKSPACES = 5000
_SUBSCRIPTIONS = 50
_KINDS = ("high", "medium", "low", "informational", "medium", "medium", "low")
_WORDS = ("aml-21", "mlw-04321", "acrpull scorer", "high compute", "nothing like that", "e", "")


def figures() -> Iterator[Figure]:
    """None where there is no Chromium."""
    chromium = found()
    if chromium is None:
        print("report: no Chromium on this machine; AMLGUARD_CHROMIUM names one", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder, Browser(chromium) as browser:
        file = Path(folder) / "report.html"
        file.write_text(made(WORKSPACES), encoding="ascii")
        size = file.stat().st_size / 1e6
        visit = browser.visit(file, ("go", "#/findings"), ("search", _WORDS))
    what = f"seconds until a report of {WORKSPACES} workspaces ({size:.1f} MB) can be used"
    yield Figure("report_load_s", visit.loaded, what, 3)
    yield Figure("report_filter_ms", visit.seen[1]["slowest"], "until what is typed is shown; the slowest of some", 100)


def made(size: int) -> str:
    """Each workspace has some findings, two grants, and an access map."""
    workspaces = [_workspace(number) for number in range(size)]
    maps = {workspace: list(_edges(workspace)) for workspace in workspaces}
    return page(view(_document(workspaces)), Besides(maps, whole=True))


def _workspace(number: int) -> str:
    subscription = uuid.UUID(int=(0x5B << 120) + number % _SUBSCRIPTIONS)
    group = f"/subscriptions/{subscription}/resourceGroups/ml-{number}"
    return f"{group}/providers/Microsoft.MachineLearningServices/workspaces/mlw-{number:05}"


def _document(workspaces: list[str]) -> dict[str, Any]:
    findings = [one for workspace in workspaces for one in _findings(workspace)]
    grants = [one for workspace in workspaces for one in _grants(workspace)]
    empty: dict[str, Any] = {name: [] for name in ("settings", "removals", "withheld", "deferred", "unknown", "errors")}
    severities = {name: sum(one["severity"] == name for one in findings) for name in dict.fromkeys(_KINDS)}
    numbers = dict.fromkeys(empty, 0) | {"grants": len(grants), "findings": severities, "satisfied": 0}
    looked_at = {
        "workspaces": len(workspaces),
        "subscriptions": _SUBSCRIPTIONS,
        "policy": None,
        "identity": None,
        "asOf": None,
    }
    return {
        **empty,
        "version": "",
        "time": None,
        "scope": [],
        "policy": None,
        "lookedAt": looked_at,
        "grants": grants,
        "findings": findings,
        "satisfied": 0,
        "counts": numbers | looked_at,
    }


def _findings(workspace: str) -> Iterator[dict[str, Any]]:
    for number, severity in enumerate(_KINDS):
        yield {
            "resourceId": workspace,
            "rule": f"rule-{number}",
            "requirements": [f"AML-{20 + number}"],
            "severity": severity,
            "message": f"compute c{number} of workspace {workspace[-8:]} lacks what rule {number} asks for.",
            "remedy": f"Run `az ml workspace update --ids {workspace}`, and look again",
            "workspace": workspace,
            "workspaces": [workspace],
        }


def _grants(workspace: str) -> Iterator[dict[str, Any]]:
    group = workspace.partition("/providers/")[0]
    for name in ("train", "scorer"):
        yield {
            "principalId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{workspace}{name}")),
            "principalType": "ServicePrincipal",
            "principalName": name,
            "principal": f"{workspace}/computes/{name}",
            "roleDefinitionId": "",
            "roleName": "AcrPull",
            "scope": f"{group}/providers/Microsoft.ContainerRegistry/registries/acrml",
            "resourceId": f"{workspace}/computes/{name}",
            "rule": "compute-pull",
            "requirements": ["AML-18"],
            "reason": f"{name} pulls images from acrml",
            "source": "",
            "workspace": workspace,
            "workspaces": [workspace],
        }


def _edges(workspace: str) -> Iterator[dict[str, str]]:
    for number in range(5):
        kind = ("held", "missing", "broad", "unknown", "held")[number]
        edge = {"identity": f"{workspace[-8:]}/computes/cpu{number}", "need": "pull images", "role": "AcrPull"}
        yield edge | {"target": "acrml (registries)", "kind": kind, "through": "at the registry"}
