"""Commands of extensions, which are no packages, so that their parsers cannot be had: what Microsoft's reference says.

Only what amlguard prints is here. Each option and each value that is one of few was read on `page`, in August 2026.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_ML = "https://learn.microsoft.com/cli/azure/ml/"
# https://learn.microsoft.com/cli/azure/reference-types-and-status: every command takes these.
_GLOBAL = frozenset({"--subscription", "--output", "--query", "--only-show-errors"})
_IN_WORKSPACE = ("--resource-group", "--workspace-name")
_BOOLEAN = ("true", "false")
_IDENTITIES = ("SystemAssigned", "UserAssigned")
_PATHS = ("--set", "--add", "--remove", "--force-string")


@dataclass(frozen=True)
class Command:
    """`kind`: what azure-ai-ml calls that of which `--set` changes a property."""

    page: str
    required: Sequence[str]
    options: Sequence[str] = ()
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    flags: Sequence[str] = ("--yes", "--no-wait")
    kind: str = ""

    def faults(self, words: Sequence[str]) -> Iterator[str]:
        given = [word for word in words if word.startswith("--")]
        yield from (f"required: {name}" for name in self.required if name not in given)
        known = {*self.required, *self.options, *self.choices, *self.flags, *_GLOBAL}
        yield from (f"unrecognized: {name}" for name in given if name not in known)
        yield from (f"twice: {name}" for name in set(given) if given.count(name) > 1)
        if words and not words[0].startswith("-"):
            yield f"unrecognized: {words[0]}"
        for name in given:
            yield from self._values(name, _values(words, name))

    def _values(self, name: str, values: Sequence[str]) -> Iterator[str]:
        if name in self.flags:
            yield from (f"unrecognized: {value}" for value in values)
        elif not values:
            yield f"{name}: expected a value"
        elif len(values) > 1 and name not in (*_PATHS, "--tags"):
            yield f"unrecognized: {values[1]}"
        elif name in self.choices and values[0] not in self.choices[name]:
            yield f"{name}: {values[0]} is none of {', '.join(self.choices[name])}"


def _values(words: Sequence[str], name: str) -> list[str]:
    found: list[str] = []
    for word in words[words.index(name) + 1 :]:
        if word.startswith("--"):
            break
        found.append(word)
    return found


def settings(words: Sequence[str]) -> list[str]:
    """What `--set` sets, as `path=value`."""
    return _values(words, "--set") if "--set" in words else []


COMMANDS: Mapping[str, Command] = {
    "ml compute attach": Command(
        f"{_ML}compute#az-ml-compute-attach",
        _IN_WORKSPACE,
        ("--name", "--resource-id", "--namespace", "--user-assigned-identities"),
        {"--type": ("virtualmachine", "Kubernetes"), "--identity-type": _IDENTITIES},
    ),
    "ml compute detach": Command(f"{_ML}compute#az-ml-compute-detach", ("--name", *_IN_WORKSPACE)),
    "ml compute create": Command(
        f"{_ML}compute#az-ml-compute-create",
        _IN_WORKSPACE,
        (
            *("--name", "--file", "--location", "--size", "--subnet", "--tags", "--set", "--min-instances"),
            *("--max-instances", "--idle-time-before-scale-down", "--user-assigned-identities"),
        ),
        {
            "--type": ("AmlCompute", "ComputeInstance"),
            "--identity-type": _IDENTITIES,
            "--tier": ("dedicated", "low_priority"),
            "--enable-node-public-ip": _BOOLEAN,
            "--ssh-public-access-enabled": _BOOLEAN,
        },
        kind="compute",
    ),
    "ml compute delete": Command(f"{_ML}compute#az-ml-compute-delete", ("--name", *_IN_WORKSPACE)),
    "ml compute update": Command(
        f"{_ML}compute#az-ml-compute-update",
        ("--name", *_IN_WORKSPACE),
        ("--user-assigned-identities",),
        {"--identity-type": _IDENTITIES},
    ),
    "ml connection list": Command(f"{_ML}connection#az-ml-connection-list", _IN_WORKSPACE),
    "ml connection update": Command(
        f"{_ML}connection#az-ml-connection-update", ("--name", *_IN_WORKSPACE), ("--set",), kind="connection"
    ),
    "ml datastore create": Command(
        f"{_ML}datastore#az-ml-datastore-create", ("--file", *_IN_WORKSPACE), ("--name", "--set"), kind="datastore"
    ),
    "ml environment archive": Command(
        f"{_ML}environment#az-ml-environment-archive", ("--name",), (*_IN_WORKSPACE, "--version")
    ),
    "ml environment create": Command(
        f"{_ML}environment#az-ml-environment-create", (), (*_IN_WORKSPACE, "--name", "--image", "--version")
    ),
    "ml job create": Command(f"{_ML}job#az-ml-job-create", ("--file", *_IN_WORKSPACE), ("--name",)),
    "ml online-endpoint create": Command(
        f"{_ML}online-endpoint#az-ml-online-endpoint-create", _IN_WORKSPACE, ("--file", "--name")
    ),
    "ml online-endpoint update": Command(
        f"{_ML}online-endpoint#az-ml-online-endpoint-update", _IN_WORKSPACE, ("--name", "--set"), kind="endpoint"
    ),
    "ml workspace delete": Command(f"{_ML}workspace#az-ml-workspace-delete", ("--name", "--resource-group")),
    "ml workspace show": Command(f"{_ML}workspace#az-ml-workspace-show", ("--name", "--resource-group")),
    "ml workspace update": Command(
        f"{_ML}workspace#az-ml-workspace-update",
        ("--name", "--resource-group"),
        ("--image-build-compute", "--set"),
        {
            "--managed-network": ("disabled", "allow_internet_outbound", "allow_only_approved_outbound"),
            "--system-datastores-auth-mode": ("accesskey", "identity"),
        },
        kind="workspace",
    ),
    "ml workspace outbound-rule remove": Command(
        f"{_ML}workspace/outbound-rule#az-ml-workspace-outbound-rule-remove", ("--rule", *_IN_WORKSPACE)
    ),
    "databricks workspace create": Command(
        "https://learn.microsoft.com/cli/azure/databricks/workspace#az-databricks-workspace-create",
        ("--name", "--resource-group"),
        ("--location", "--vnet", "--public-subnet", "--private-subnet"),
        {"--sku": ("premium", "standard", "trial")},
    ),
}
