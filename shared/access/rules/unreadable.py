"""What a rule may not read: reported as a finding, so that the unknown never looks like what is in order."""

from collections.abc import Iterable, Iterator

from shared.access.asks import Finding, Severity, Unread
from shared.access.model import Estate, Unreadable, Want
from shared.access.rules.az import assign, code


def unreadable(wants: Iterable[Want], estate: Estate) -> Iterator[Unread]:
    """Those of `wants` that Azure forbids amlguard to read. Logs that nobody configured are not among them."""
    if Unreadable.FORBIDDEN not in estate.facts.values():  # usually there are none
        return
    yield from (Unread(want) for want in dict.fromkeys(wants) if estate.facts.get(want) is Unreadable.FORBIDDEN)


def finding(rule: str, requirements: tuple[str, ...], want: Want) -> Finding:
    return Finding(
        want.scope,
        rule,
        requirements,
        Severity.LOW,
        f"{_what(want)} could not be read, so nobody can tell whether {rule} holds: the right {_right(want)} is "
        "missing.",
        f"Let amlguard's identity read it: {code(assign('AMLGUARD-OBJECT-ID', 'Reader', want.scope))}",
        lacks_right=True,
    )


def _what(want: Want) -> str:
    if want.query:
        return "the logs"
    collection = want.collection.partition("?")[0]
    return f"{collection} of {want.scope.name}" if want.collection else f"{want.scope.resource_type} {want.scope}"


def _right(want: Want) -> str:
    collection = want.collection.partition("?")[0]
    if want.query:
        return "Microsoft.OperationalInsights/workspaces/query/read"
    if "/" in collection:
        return f"{collection}/read"
    return "/".join(filter(None, (want.scope.resource_type, want.collection, "read")))
