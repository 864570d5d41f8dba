"""What `explain` found out as a picture in Mermaid: identities, the roles that they hold or miss, resources."""

from collections.abc import Iterator

from handlers.cli.formats.names import called, short_guid
from handlers.cli.formats.safe import mermaid as safe
from shared.access.plan_json import Document

_STYLES = (
    "  classDef held fill:#dcfce7,stroke:#166534,color:#14532d",
    "  classDef missing fill:#fee2e2,stroke:#991b1b,color:#7f1d1d",
    "  classDef unknown fill:#fef9c3,stroke:#854d0e,color:#713f12",
)


def text(document: Document) -> str:
    return "\n".join(_lines(document))


def _lines(document: Document) -> Iterator[str]:
    """Ids of nodes are numbers of ours: nothing of Azure's names one."""
    nodes: dict[tuple[str, str], str] = {}
    edges: dict[str, None] = {}

    def node(kind: str, what: str) -> str:
        return nodes.setdefault((kind, what), f"n{len(nodes)}")

    for one in document["needs"]:
        who = node("identity", f"{called(one['resourceId'])}\n{short_guid(one['principalId'])}")
        target = node("resource", called(one["scope"]))
        for through in one["heldThrough"]:
            group = f" by group {short_guid(through['group'])}" if through["group"] else ""
            role = node("held", f"{through['roleName']} at {called(through['scope'])}{group}")
            edges[f"  {who} --> {role} --> {target}"] = None
        if one["verdict"] != "held":
            kind = "unknown" if one["verdict"] == "not known" else "missing"
            role = node(kind, f"{one['roleName']}\n{one['verdict']}")
            edges[f"  {who} -.-> {role} -.-> {target}"] = None
    yield "flowchart LR"
    yield from (_node(kind, what, name) for (kind, what), name in nodes.items())
    yield from edges
    for kind in ("held", "missing", "unknown"):
        named = [name for (each, _), name in nodes.items() if each == kind]
        if named:
            yield f"  class {','.join(named)} {kind}"
    if not nodes:
        yield f'  n0["{safe(called(document["resourceId"]))}#58; nobody needs anything here"]'
    yield from _STYLES


def _node(kind: str, what: str, name: str) -> str:
    label = "<br/>".join(map(safe, what.split("\n")))
    opening, closing = {"identity": ("([", "])"), "resource": ("[(", ")]")}.get(kind, ("[", "]"))
    return f'  {name}{opening}"{label}"{closing}'
