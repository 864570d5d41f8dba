"""App settings: read once from the environment, and passed on as a value.

A test compares the table of docs/settings.md with them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

PUBLIC_ARM = "https://management.azure.com"
QUEUE = "amlguard-work"
CONTAINER = "amlguard-state"
POLICIES = "amlguard-policy"
"""The container of policies that are blobs. Who may approve changes has no right there."""
BLOB = "blob:"
"""What AMLGUARD_POLICY begins with if the policy is a blob."""


_BLOB_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_OFF = ("0", "false", "no", "off")


class SettingsError(ValueError):
    """A setting is missing or wrong. The message says which, and what it should be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`storage_connection` is a connection string. `queue_url` and `blob_url` are the alternative with an identity.

    The policy is a file or a blob. `stopped` is the kill switch. Any word that does not clearly say "off" turns it on.
    """

    arm_endpoint: str = PUBLIC_ARM
    policy_file: str | None = None
    policy_blob: str | None = None
    ingestion_endpoint: str | None = None
    ingestion_rule: str | None = None
    logs_query_endpoint: str | None = None
    logs_workspace: str | None = None
    storage_connection: str | None = None
    queue_url: str | None = None
    blob_url: str | None = None
    events_topic: str | None = None
    deadline_seconds: float = 20.0
    stopped: bool = False

    @property
    def has_queue(self) -> bool:
        return bool(self.storage_connection or self.queue_url)

    @property
    def has_store(self) -> bool:
        return bool(self.storage_connection or self.blob_url)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises `SettingsError`."""

        def get(name: str) -> str | None:
            return environment.get(name, "").strip() or None

        arm = (get("AMLGUARD_ARM_ENDPOINT") or PUBLIC_ARM).rstrip("/")
        if not arm.startswith("https://"):
            raise SettingsError("AMLGUARD_ARM_ENDPOINT must be an https URL, for example https://management.azure.com")
        policy = get("AMLGUARD_POLICY")
        blob = _blob(policy) if policy else None
        storage = get("AzureWebJobsStorage"), get("AzureWebJobsStorage__blobServiceUri")
        if blob and not any(storage):
            raise SettingsError(f"AMLGUARD_POLICY: for {BLOB}{blob}, set AzureWebJobsStorage__blobServiceUri")
        return cls(
            arm_endpoint=arm,
            policy_file=None if blob else policy,
            policy_blob=blob,
            ingestion_endpoint=get("AMLGUARD_LOGS_INGESTION_ENDPOINT"),
            ingestion_rule=get("AMLGUARD_LOGS_RULE_ID"),
            logs_query_endpoint=get("AMLGUARD_LOGS_QUERY_ENDPOINT"),
            logs_workspace=get("AMLGUARD_LOG_WORKSPACE_ID"),
            storage_connection=storage[0],
            queue_url=get("AzureWebJobsStorage__queueServiceUri"),
            blob_url=storage[1],
            events_topic=_topic(get("AMLGUARD_EVENTS_TOPIC")),
            deadline_seconds=_seconds(get("AMLGUARD_DEADLINE_SECONDS")),
            stopped=(get("AMLGUARD_KILL_SWITCH") or "off").casefold() not in _OFF,
        )


def _blob(policy: str) -> str | None:
    """The blob's name, if it is one. A name is not a path: what is below `last-good/` is the app's own."""
    if "://" in policy:
        raise SettingsError(
            f"AMLGUARD_POLICY must be a file, or {BLOB}NAME: a blob in the container {POLICIES} of the app's storage "
            "account"
        )
    if not policy.startswith(BLOB):
        return None
    name = policy.removeprefix(BLOB)
    if not _BLOB_NAME.fullmatch(name):
        raise SettingsError(f"AMLGUARD_POLICY: {BLOB} wants the name of a blob, for example {BLOB}policy.yaml")
    return name


def _topic(endpoint: str | None) -> str | None:
    if endpoint and not endpoint.startswith("https://"):
        raise SettingsError("AMLGUARD_EVENTS_TOPIC must be the https endpoint of an Event Grid topic")
    return endpoint


def _seconds(text: str | None) -> float:
    try:
        seconds = float(text or 20)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 28:
        # Event Grid waits 30 s for the answer. The rest is for the way there and back.
        raise SettingsError("AMLGUARD_DEADLINE_SECONDS must be a number of seconds above 0 and at most 28")
    return seconds
