"""Commands of the Azure CLI as remedies print them: every value quoted for a shell, each command in backquotes.

tests/az holds them against the CLI's own parser.
"""

import re
from collections.abc import Mapping

from shared.access.quoting import shell
from shared.access.scope import Scope

_BACKQUOTES = re.compile("`+")
_ACTIVE = frozenset('"$`\\!')  # what a shell would look at between double quotes

type _Value = object | tuple[object, ...]


def az(command: str, /, **options: _Value) -> str:
    """One command. An option's value may be several words (a tuple), or True for none; without words it is left out."""
    words = [command]
    for name, value in options.items():
        values = value if isinstance(value, tuple) else () if value is True else (value,)
        if value is True or values:
            words += [f"--{name.replace('_', '-')}", *(_word(str(one)) for one in values)]
    return f"az {' '.join(words)}"


def _word(text: str) -> str:
    """For a POSIX shell; in double quotes where these do, as PowerShell and cmd read them as well."""
    quoted = shell(text)
    return f'"{text}"' if quoted != text and _ACTIVE.isdisjoint(text) else quoted


def code(*commands: str) -> str:
    """To be run one after another, while they succeed. What is between backquotes can be copied as it stands.

    As in Markdown, they are more than any that stand in a row within (a custom role may be called so).
    """
    joined = " && ".join(commands)
    fence = "`" * (max(map(len, _BACKQUOTES.findall(joined)), default=0) + 1)
    return f"{fence}{joined}{fence}"


def within(scope: Scope) -> Mapping[str, str]:
    """Where `az` finds what it names. Without the subscription it takes the one that the user happens to be in."""
    group = scope.resource_group.name if scope.resource_group else "RESOURCE-GROUP"
    return {"resource_group": group, **subscription(scope)}


def subscription(scope: Scope) -> Mapping[str, str]:
    return {"subscription": scope.subscription.name} if scope.subscription else {}


def at(workspace: Scope) -> Mapping[str, str]:
    """The options by which `az ml` commands find the workspace of what they are about."""
    return {"workspace_name": workspace.name, **within(workspace)}


def itself(scope: Scope) -> Mapping[str, str]:
    """The options by which commands find what they are about by its name."""
    return {"name": scope.name, **within(scope)}


def assign(principal: str, role: str, scope: object, kind: str | None = "ServicePrincipal") -> str:
    """Makes the principal (by its object id) hold the role there."""
    kinds = {"assignee_principal_type": kind} if kind else {}
    who = az("role assignment create", assignee_object_id=principal, **kinds)
    return f'{who} --role "{role}" --scope {_word(str(scope))}'


def to_users(role: str, scope: object) -> str:
    return assign("USERS-GROUP-ID", role, scope, "Group")
