"""AML jobs in ARM's shape (2025-12-01): where they run.

Every type of job has `computeId` (command, sweep, AutoML, Spark, pipeline). A job without it runs on serverless
compute. A pipeline's steps have their own, or the pipeline's, or the `default_compute` of its settings.
"""

from collections.abc import Mapping
from datetime import datetime

from shared.access.model import Raw
from shared.access.raw import get, text, time

_SERVERLESS = "serverless"
# Steps that only control other steps. They run nowhere themselves.
_CONTROL = ("do_while", "if_else", "parallel_for")


def submitted(job: Raw) -> datetime | None:
    return time(get(job, "systemData", "createdAt"))


def is_serverless(job: Raw) -> bool:
    """Whether any part of the job runs on serverless compute. If the job does not say, that counts as yes."""
    body = get(job, "properties")
    own = _compute(body)
    if (text(body, "jobType") or "").casefold() != "pipeline":
        return own is None
    default = own or _named(text(body, "settings", "default_compute") or text(body, "settings", "defaultCompute"))
    steps = get(body, "jobs")
    known = list(steps.values()) if isinstance(steps, Mapping) else []
    running = [step for step in known if (text(step, "type") or "").casefold() not in _CONTROL]
    if not running:
        return default is None
    return any(_on_serverless(step, default) for step in running)


def _on_serverless(step: object, default: str | None) -> bool:
    said = text(step, "computeId") or text(step, "compute")
    return (_named(said) if said else default) is None


def _compute(body: object) -> str | None:
    return _named(text(body, "computeId"))


def _named(compute: str | None) -> str | None:
    """None without a compute, and for the name that means none (`azureml:serverless`)."""
    name = (compute or "").rpartition("/")[2].removeprefix("azureml:")
    return None if name.casefold() in ("", _SERVERLESS) else compute
