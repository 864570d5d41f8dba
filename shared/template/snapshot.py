"""The snapshot that `bicep snapshot` writes: the resources that a deployment would make, and what it could not see."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.access.raw import text

type Raw = Mapping[str, Any]


class SnapshotError(ValueError):
    """It is no snapshot, and the message says why."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`source` is the file that was given. `diagnostics` say what is not among `resources`."""

    source: str
    resources: tuple[Raw, ...]
    diagnostics: tuple[str, ...] = ()


def snapshot(document: object, source: str) -> Snapshot:
    """Raises `SnapshotError`."""
    if isinstance(document, Mapping) and "snapshot" in document:
        raise SnapshotError(
            f"{source} is a snapshot of a tenant, which `amlguard snapshot` takes: give it with --snapshot"
        )
    if not isinstance(document, Mapping) or not isinstance(document.get("predictedResources"), list):
        raise SnapshotError(
            f"{source} is no Bicep snapshot: `bicep snapshot` writes one, with `predictedResources` in it"
        )
    listed = document["predictedResources"]
    known = tuple(one for one in listed if isinstance(one, Mapping) and text(one, "type"))
    said = document.get("diagnostics") or []
    told = [_in_words(one) for one in said] if isinstance(said, list) else ["its diagnostics cannot be read"]
    if len(known) < len(listed):
        told.append(f"{len(listed) - len(known)} of its resources have no type")
    return Snapshot(source, known, tuple(told))


def _in_words(one: object) -> str:
    if isinstance(one, Mapping):
        said = [text(one, name) for name in ("code", "message", "target")]
        return ": ".join(filter(None, said)) or "a diagnostic without a message"
    return str(one)
