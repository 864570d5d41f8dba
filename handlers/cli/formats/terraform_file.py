"""The missing role assignments and access policies of a plan as Terraform in JSON, for the provider azurerm 4.

https://developer.hashicorp.com/terraform/language/syntax/json: keys `//` are comments, and texts are templates.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from handlers.cli.console import one_line
from handlers.cli.formats.as_code import SCRIPT, AccessPolicy, Assignment, Code, as_code, shortened
from handlers.cli.formats.view import View
from shared.access.needs import ACCESS_POLICY
from shared.access.own_assignments import unique

type Json = dict[str, Any]

_KINDS = ("Group", "ServicePrincipal", "User")
_TENANT: Json = {"azurerm_client_config": {"amlguard": {}}}
_ABOUT = (
    "What amlguard found missing, for the provider azurerm 4. It goes into a configuration that has the provider.",
    "Names are those that amlguard would give. Whoever applies this owns it: amlguard takes none of it back.",
)


def text(seen: View) -> str:
    return json.dumps(document(as_code(seen)), indent=2)


def document(code: Code) -> Json:
    grants = {f"grant_{_label(one.name)}": _grant(one) for one in code.assignments if one.name}
    policies = {f"policy_{_label(unique(*one.key))}": _policy(one) for one in code.policies if one.holder.id}
    resources = {"azurerm_role_assignment": grants, "azurerm_key_vault_access_policy": policies}
    made: Json = {"//": [*_ABOUT, *_told(code)]}
    made |= {"data": _TENANT} if policies else {}
    found = {kind: some for kind, some in resources.items() if some}
    return made | ({"resource": found} if found else {})


def _told(code: Code) -> Iterator[str]:
    if code.changes:
        yield f"Not here, because it needs another look first. The script of {SCRIPT} looks and does it:"
        yield from (f"  {one}" for one in code.changes)
    yield from code.notes
    for one in code.grants:
        if one.holder.id is None:
            yield f"Not written, because the identity does not exist yet: {shortened(one.why)}"


def _grant(one: Assignment) -> Json:
    kind = {"principal_type": one.kind} if one.kind in _KINDS else {}
    return {
        "//": one_line(one.why),
        "name": one.name,
        "scope": _plain(str(one.scope)),
        "role_definition_id": _plain(one.role_definition_id),
        "principal_id": one.holder.id,
        **kind,
        "description": _plain(one.description),
    }


def _policy(one: AccessPolicy) -> Json:
    """All of the entry: Terraform replaces what it owns."""
    kinds = {"certificates": "certificate_permissions", "keys": "key_permissions", "secrets": "secret_permissions"}
    why = [one_line(one.why)]
    if one.partly:
        there = f"{one.vault}/objectId/{one.holder.id}"
        why.append(f"The vault has an entry of this identity already: import it first ({one_line(there)}).")
    return {
        "//": why,
        "key_vault_id": _plain(str(one.vault)),
        "tenant_id": "${data.azurerm_client_config.amlguard.tenant_id}",
        "object_id": one.holder.id,
        **{kinds[kind]: [_spelled(name) for name in names] for kind, names in ACCESS_POLICY.items()},
    }


_SPELLED = {
    name.casefold(): name
    for name in (
        *("GetRotationPolicy", "SetRotationPolicy", "UnwrapKey", "WrapKey"),
        *("DeleteIssuers", "GetIssuers", "ListIssuers", "ManageContacts", "ManageIssuers", "SetIssuers"),
    )
}


def _spelled(permission: str) -> str:
    """The provider tells upper from lower case."""
    return _SPELLED.get(permission.casefold(), permission.capitalize())


def _label(name: str) -> str:
    return name.replace("-", "_")


def _plain(text: str) -> str:
    """Nothing in it is a template: `${` and `%{` begin one, and doubled they do not. No id has them."""
    return re.sub(r"([$%])[$%]*\{", r"\1\1{", text)
