"""Which policy file a process reads. It needs no Azure."""

from pathlib import Path
from typing import Any

import msgspec

from shared import policy
from shared.azure.settings import Settings
from shared.policy import Policy, PolicyError

DEFAULT_POLICY = Path(__file__).parent.parent / "policy.yaml"


def chosen_policy(chosen: Path | None, settings: Settings) -> Path | None:
    """The chosen file, or else AMLGUARD_POLICY, or else `policy.yaml` beside the app, if it exists."""
    if chosen is None and settings.policy_file:
        return Path(settings.policy_file)
    return chosen or (DEFAULT_POLICY if DEFAULT_POLICY.exists() else None)


def read_policy(chosen: Path | None, settings: Settings) -> Policy:
    """Without a file, the defaults (report mode)."""
    file = chosen_policy(chosen, settings)
    try:
        return policy.load(file) if file else Policy()
    except PolicyError as error:
        raise PolicyError(
            f"AMLGUARD_POLICY: {error}" if chosen is None and settings.policy_file else str(error)
        ) from error


def policy_document(chosen: Path | None, settings: Settings) -> Any:
    """What the file says, with texts for its dates. None without a file. Raises `PolicyError`."""
    file = chosen_policy(chosen, settings)
    return msgspec.to_builtins(policy.document(file.read_text(encoding="utf-8-sig"))) if file else None
