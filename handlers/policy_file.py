"""Which policy file a process reads. It needs no Azure."""

from pathlib import Path
from typing import Any

import msgspec

from shared import policy
from shared.azure.settings import BLOB, Settings
from shared.policy import Policy, PolicyError

DEFAULT_POLICY = Path(__file__).parent.parent / "policy.yaml"


def chosen_policy(chosen: Path | None, settings: Settings) -> Path | None:
    """The chosen file, or else AMLGUARD_POLICY, or else `policy.yaml` beside the app, if it exists. None for a blob."""
    if chosen is None and settings.policy_file:
        return Path(settings.policy_file)
    if is_a_blob(chosen, settings):
        return None
    return chosen or (DEFAULT_POLICY if DEFAULT_POLICY.exists() else None)


def is_a_blob(chosen: Path | None, settings: Settings) -> bool:
    """Then the storage account has the policy, and no file."""
    return chosen is None and settings.policy_blob is not None


def read_policy(chosen: Path | None, settings: Settings) -> Policy:
    """Without a file, the defaults (report mode). Raises `PolicyError`, also for a blob: nobody reads that offline."""
    _offline(chosen, settings)
    file = chosen_policy(chosen, settings)
    try:
        return policy.load(file) if file else Policy()
    except PolicyError as error:
        raise PolicyError(
            f"AMLGUARD_POLICY: {error}" if chosen is None and settings.policy_file else str(error)
        ) from error


def policy_document(chosen: Path | None, settings: Settings) -> Any:
    """What the file says, with texts for its dates. None without a file. Raises `PolicyError`, also for a blob."""
    _offline(chosen, settings)
    file = chosen_policy(chosen, settings)
    return msgspec.to_builtins(policy.document(file.read_text(encoding="utf-8-sig"))) if file else None


def _offline(chosen: Path | None, settings: Settings) -> None:
    if is_a_blob(chosen, settings):
        raise PolicyError(f"AMLGUARD_POLICY: {BLOB}{settings.policy_blob} cannot be read here: name a file (--policy)")
