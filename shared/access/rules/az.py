"""Azure CLI commands as remedies print them: every value is quoted for a shell, each command is between backquotes.

tests/az checks them with the CLI's own parser.
"""

import re
from collections.abc import Mapping

from shared.access.quoting import shell
from shared.access.scope import Scope

_BACKQUOTES = re.compile("`+")
_ACTIVE = frozenset('"$`\\!')  # characters that a shell interprets between double quotes

type _Value = object | tuple[object, ...]


def az(command: str, /, **options: _Value) -> str:
    """One command.

    An option's value is one word, several words (a tuple), or True for none. An empty tuple omits the option.
    """
    words = [command]
    for name, value in options.items():
        values = value if isinstance(value, tuple) else () if value is True else (value,)
        if value is True or values:
            words += [f"--{name.replace('_', '-')}", *(_word(str(one)) for one in values)]
    return f"az {' '.join(words)}"


def _word(text: str) -> str:
    """Quoted for a POSIX shell. In double quotes where these are enough, because PowerShell and cmd read them, too."""
    quoted = shell(text)
    return f'"{text}"' if quoted != text and _ACTIVE.isdisjoint(text) else quoted


def code(*commands: str) -> str:
    """Commands that run one after another while they succeed. The text between the backquotes can be copied as it is.

    As in Markdown, there are more backquotes around it than in any row inside it (a custom role may have them in its
    name).
    """
    joined = " && ".join(commands)
    fence = "`" * (max(map(len, _BACKQUOTES.findall(joined)), default=0) + 1)
    return f"{fence}{joined}{fence}"


def within(scope: Scope) -> Mapping[str, str]:
    """The subscription in which `az` looks for the resource. Without it, `az` uses the user's current one."""
    group = scope.resource_group.name if scope.resource_group else "RESOURCE-GROUP"
    return {"resource_group": group, **subscription(scope)}


def subscription(scope: Scope) -> Mapping[str, str]:
    return {"subscription": scope.subscription.name} if scope.subscription else {}


def at(workspace: Scope) -> Mapping[str, str]:
    """The options by which `az ml` commands find the workspace of a resource."""
    return {"workspace_name": workspace.name, **within(workspace)}


def itself(scope: Scope) -> Mapping[str, str]:
    """The options by which commands find a resource by its name."""
    return {"name": scope.name, **within(scope)}


def assign(principal: str, role: str, scope: object, kind: str | None = "ServicePrincipal") -> str:
    """Assigns the role there to the principal, given by its object id."""
    kinds = {"assignee_principal_type": kind} if kind else {}
    who = az("role assignment create", assignee_object_id=principal, **kinds)
    return f'{who} --role "{role}" --scope {_word(str(scope))}'


def to_users(role: str, scope: object) -> str:
    return assign("USERS-GROUP-ID", role, scope, "Group")
