"""What went wrong and what to do about it, in one line for the person at the terminal. No secrets."""

import re
import traceback
from collections.abc import Mapping
from pathlib import Path

from handlers.cli.console import UsageError
from shared.policy import PolicyError
from shared.ports import AzureFailureError

_ROOT = Path(__file__).parents[2]
_HOST = re.compile(r"\bhost ([\w.:-]+)")
# Settings that name a host. An error never repeats their values: a connection string holds a key.
_NAMING = (
    "AMLGUARD_ARM_ENDPOINT",
    "AMLGUARD_LOGS_INGESTION_ENDPOINT",
    "AMLGUARD_LOGS_QUERY_ENDPOINT",
    "AzureWebJobsStorage",
    "AzureWebJobsStorage__queueServiceUri",
    "AzureWebJobsStorage__blobServiceUri",
    "AZURE_AUTHORITY_HOST",
    "IDENTITY_ENDPOINT",
    "HTTPS_PROXY",
)


def in_words(error: Exception, environment: Mapping[str, str]) -> str:
    match error:
        case AzureFailureError():
            return f"{error}{_named_by(str(error), environment)}"
        case OSError():
            return ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
        case UsageError() | PolicyError() | ValueError():
            return str(error)
        case _:
            return f"this is a fault in amlguard, not yours: {type(error).__name__}{_where(error)}; please report it"


def _named_by(text: str, environment: Mapping[str, str]) -> str:
    hosts = _HOST.findall(text)
    names = [name for name in _NAMING if any(host in environment.get(name, "") for host in hosts)]
    return f" [see {', '.join(names)}]" if names else ""


def _where(error: Exception) -> str:
    """The last line of amlguard's own code in the traceback. The error's text may hold anything, so it is left out."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_ROOT) and ".venv" not in frame.filename]
    return f" at {Path(ours[-1].filename).relative_to(_ROOT)}:{ours[-1].lineno}" if ours else ""
