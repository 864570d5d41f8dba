"""What `explain` found out, as a tree for people: who needs what, and by which assignment they hold it, or why not."""

from collections.abc import Iterator, Sequence

from handlers.cli.formats.names import called, in_short, short_guid
from handlers.cli.formats.screen import Block, Line, Piece, Screen
from handlers.cli.formats.tree import Node, lines
from shared.access.plan_json import Document, short

_MARKS = {"covered": ("✓", "green"), "uncovered": ("✗", "red"), "unknown": ("?", "yellow")}
_HELD: tuple[str, str] = ("✓ ", "green")
_NOT: tuple[str, str] = ("✗ ", "bold red")


def text(document: Document, looked_at: Sequence[str], screen: Screen) -> str:
    return screen.text(_blocks(document, looked_at))


def _blocks(document: Document, looked_at: Sequence[str]) -> Iterator[Block]:
    yield Line(((called(document["resourceId"]), "bold"), (f"  {document['resourceId']}", "dim")))
    found = [*_holders(document["needs"]), *_roles(document["roles"]), *_changes(document), *_findings(document)]
    yield from lines([*found, *_users(document["users"])])
    if not found:
        yield Line(("  nothing to do: the resource exists, and no rule asks for anything here",))
    yield from (Line((said,)) for said in looked_at)


def _holders(needs: Sequence[Document]) -> Iterator[Node]:
    """A branch for each identity, under the name of the resource whose it is."""
    by_holder: dict[tuple[str, str], list[Document]] = {}
    for one in needs:
        by_holder.setdefault((one["resourceId"], one["principalId"] or ""), []).append(one)
    for (on, principal), some in by_holder.items():
        who: Sequence[Piece] = (
            called(on),
            (f"  as {short_guid(some[0]['identity'])} ({short_guid(principal) or 'it does not exist yet'})", "dim"),
        )
        yield Node(who, [_need(one) for one in some])


def _need(one: Document) -> Node:
    held = one["verdict"] == "held"
    below = [Node((f"held through {_role(through)}",)) for through in one["heldThrough"]]
    if not held:
        below.append(Node((f"{one['verdict']}: {one['roleName']} ({one['reason']})",)))
        below += [Node((f"missing {action}",)) for action in one["missing"]]
        below += [Node((f"held on a condition only: {in_short(which)}",)) for which in one["conditional"]]
        below += [Node((f"denied by {in_short(which)}",)) for which in one["deniedBy"]]
    below += [Node((why, (f"  [{', '.join(one['requirements'] or one['rules'])}]", "dim"))) for why in one["why"]]
    below += [Node(((source, "dim"),)) for source in one["sources"]]
    return Node((_HELD if held else _NOT, f"{one['need']} on {called(one['scope'])}"), below)


def _role(through: Document) -> str:
    group = f" as a member of group {through['group']}" if through["group"] else ""
    return f"{through['roleName']} at {through['scope']}{group} (assignment {short_guid(_last(through))})"


def _last(through: Document) -> str:
    return str(through["roleAssignmentId"]).rpartition("/")[2]


def _roles(roles: Sequence[Document]) -> Iterator[Node]:
    """Why an identity has the roles that it has."""
    if roles:
        yield Node(("roles that it holds, and what for",), [_held(one) for one in roles])


def _held(one: Document) -> Node:
    used = [Node((f"for: {why}",)) for why in one["usedFor"]]
    nobody = Node((("no rule asks for what it gives", "yellow"),))
    return Node((f"{short_guid(one['identity'])}: {_role(one)}",), used or [nobody])


def _changes(document: Document) -> Iterator[Node]:
    for one in document["settings"]:
        change = f"{one['property']} {short(one['from'])} → {short(one['to'])} on {called(one['resourceId'])}"
        yield Node((("~ ", "magenta"), change), [Node((one["verdict"],))])
    for one in document["removals"]:
        yield Node((("- ", "magenta"), in_short(one["roleAssignmentId"])), [Node((one["verdict"],))])
    for one in document["waits"]:
        yield Node((("… ", "blue"), called(one["resourceId"])), [Node((one["verdict"],))])


def _findings(document: Document) -> Iterator[Node]:
    for one in document["findings"]:
        ids = ", ".join((one["rule"], *one["requirements"]))
        yield Node(
            ((f"• {one['severity']}: ", "yellow"), one["message"], (f"  [{ids}]", "dim")), [Node((one["remedy"],))]
        )


def _users(users: Sequence[Document]) -> Iterator[Node]:
    """Whoever still needs the admin user comes first."""
    if users:
        needing = sum(one["keepsAdminUserOn"] for one in users)
        said = "nobody needs its admin user" if not needing else f"{needing} may still need its admin user"
        order = sorted(users, key=lambda one: not one["keepsAdminUserOn"])
        title = f"Who uses it, and whether each of them can do without its admin user: {said}"
        yield Node((title,), [_user(one) for one in order])


def _user(one: Document) -> Node:
    sign, style = _MARKS[one["cover"]]
    who = one["user"] if one["user"].startswith(one["kind"]) else f"{one['kind']} {one['user']}"
    said = f"{who}: {one['cover']}, {one['reason']}"
    return Node(((f"{sign} ", style), said, (f"  [{one['source']}]", "dim")))
