"""Resource providers: their types in Azure's casing, and the api-versions that each of them accepts.

`data/providers.json` has those of Microsoft's published types (Bicep 0.49.2, November 2026). For types that no template
makes, it has those of the REST reference. tests/emulator_units/test_known_facts.py compares the list with the compiler.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from emulator.errors import AzureError
from emulator.ids import ResourcePath
from emulator.tenant import Tenant

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(-(preview|alpha|beta|privatepreview))?", re.IGNORECASE)
_LOCATIONS = "global,westeurope,northeurope,eastus,eastus2,westus2"


@dataclass(frozen=True, slots=True)
class _Type:
    name: str
    versions: tuple[str, ...]
    """Newest first."""


class Providers:
    def __init__(self, types: dict[str, _Type], tenant: Tenant) -> None:
        """`types` is keyed by lower-case `namespace/type`."""
        self._types = types
        self._namespaces = {known.partition("/")[0]: entry.name.partition("/")[0] for known, entry in types.items()}
        self._tenant = tenant

    @classmethod
    def load(cls, tenant: Tenant, file: Path = Path(__file__).parents[1] / "data" / "providers.json") -> Self:
        types: dict[str, _Type] = {}
        for namespace, groups in json.loads(file.read_text()).items():
            for group in groups:
                for name in group["types"]:
                    full = f"{namespace}/{name}"
                    types[full.lower()] = _Type(full, tuple(group["versions"]))
        return cls(types, tenant)

    def canonical(self, kind: str) -> str:
        """The type `namespace/type` in Azure's casing."""
        known = self._types.get(kind.lower())
        return known.name if known else kind

    def namespaces(self) -> list[str]:
        return list(dict.fromkeys(self._namespaces.values()))

    def types_of(self, namespace: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each type without its namespace, and its api-versions."""
        for known in self._types.values():
            if known.name.startswith(f"{namespace}/"):
                yield known.name.partition("/")[2], known.versions

    def check(self, path: ResourcePath, version: str | None, *, action: bool) -> None:
        """Refuses a missing or unknown api-version, an unknown namespace and an unknown type."""
        if not version:
            raise AzureError(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        if _DATE.fullmatch(version) is None:
            raise AzureError(400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")
        owner = "/".join((path.namespace, *(path.types[:-1] if action else path.types)))
        owner = "Microsoft.Resources/providers" if path.types == ("register",) else owner
        known = self._types.get(owner.lower())
        if known is None:
            self._require_in_tenant(path, owner, version)
        elif version.lower() not in known.versions:
            kind = owner.partition("/")[2]
            supported = ", ".join(known.versions)
            raise AzureError(
                400,
                "NoRegisteredProviderFound",
                f"No registered resource provider found for location '' and API version '{version}' for type '{kind}'. "
                f"The supported api-versions are '{supported}'. The supported locations are '{_LOCATIONS}'.",
            )

    def _require_in_tenant(self, path: ResourcePath, owner: str, version: str) -> None:
        held = self._tenant.resources.values_of("type")
        if owner.lower() in held:
            return
        namespace = path.namespace.lower()
        if namespace not in self._namespaces and not any(kind.startswith(namespace + "/") for kind in held):
            message = f"The resource namespace '{path.namespace}' is invalid."
            raise AzureError(404, "InvalidResourceNamespace", message)
        raise AzureError(
            404,
            "InvalidResourceType",
            f"The resource type '{owner.partition('/')[2]}' could not be found in the namespace '{path.namespace}' "
            f"for api version '{version}'.",
        )
