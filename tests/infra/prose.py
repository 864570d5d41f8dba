"""Where KQL goes by text that is for people. Of exceptions the host tells nothing else: they may hold fixed words."""

from collections.abc import Mapping

from kql_parser import Parser

from infra.check import tables

PROSE = ("Reason", "Message", "Remedy", "InnermostMessage", "OuterMessage")
FIXED = {"InnermostMessage": ("AuditFailedError", "LacksRight")}


def steered_by_prose(parser: Parser, queries: Mapping[str, str]) -> dict[str, list[str]]:
    """By query, what of it goes by prose; those that do not are left out."""
    schemas = {name: f"({', '.join(f'{c}:{t}' for c, t in columns)})" for name, columns in tables().items()}
    given = {"tables": schemas, "queries": dict(queries), "columns": PROSE, "fixed": FIXED}
    found: dict[str, list[str]] = parser.prose(given)
    return {name: uses for name, uses in found.items() if uses}
