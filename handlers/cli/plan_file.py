"""A plan that was printed as JSON before: `apply --plan FILE` makes only the changes that it names."""

from pathlib import Path

from handlers.cli.console import UsageError, read_json
from shared.access.plan_json import key


def actions_of(path: Path) -> frozenset[tuple[str, ...]]:
    """Raises `UsageError` if it is no plan."""
    document = read_json(str(path))
    try:
        changes = (*document["grants"], *document["settings"], *document.get("removals", ()))
        return frozenset(key(action) for action in changes)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is not a plan of amlguard (`amlguard plan --format json --out FILE`)") from error
