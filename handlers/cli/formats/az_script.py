"""A plan as a script for the Azure CLI: grants before switch-offs (law 5), and another look before what takes away.

The plan is as old as its review. So the script trusts it only for what adds. `az_script.sh` is what every script has.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from handlers.cli.console import one_line
from handlers.cli.formats.as_code import AccessPolicy, Assignment, Code, Holder, SwitchOff, TakenBack, as_code
from handlers.cli.formats.names import called, short_guid
from handlers.cli.formats.view import View
from shared.access.needs import ACCESS_POLICY
from shared.access.quoting import shell, url
from shared.access.rules.az import within
from shared.access.scope import Scope

_BEGINNING = Path(__file__).with_name("az_script.sh")
_TENANT = "$tenant"
_AML_VERSION = "2025-12-01"
_VAULT_VERSION = "2024-11-01"


def text(seen: View) -> str:
    code = as_code(seen)
    parts = [_BEGINNING.read_text("utf-8").rstrip("\n"), *_about(code)]
    parts += ["\n".join(_grant(one)) for one in code.assignments]
    parts += ["\n".join(_policy(one)) for one in code.policies]
    parts += ["\n".join(_switch_off(one)) for one in code.switch_offs]
    parts += ["\n".join(_removal(one)) for one in code.removals]
    return "\n\n".join((*parts, _END))


_END = """\
if ((left)); then
  printf 'amlguard: something was left as it is, for the reasons above: run the script again later\\n' >&2
fi
exit "$left\""""


def _about(code: Code) -> Iterator[str]:
    if code.notes:
        yield "\n".join(f"# {one}" for one in code.notes)
    if code.policy_file:
        yield (
            "# The policy that the plan was made by. Another one in the environment comes first.\n"
            f"policy_file={shell(code.policy_file)}\n"
            'export AMLGUARD_POLICY="${AMLGUARD_POLICY:-$policy_file}"'
        )


def _grant(one: Assignment) -> Iterator[str]:
    yield f"# {one_line(one.why)}"
    if one.name is None:
        yield f"# Not written: {_called(one.holder)} does not exist yet. Plan again when it does."
        return
    yield f"{_step(f'grant {one.role_name} on {called(str(one.scope))} to {_called(one.holder)}')}"
    kind = {"assignee_principal_type": one.kind} if one.kind else {}
    yield _az(
        "role assignment create",
        name=one.name,
        assignee_object_id=one.holder.id or "",
        **kind,
        role=one.role_id,
        scope=str(one.scope),
        description=one.description,
        output="none",
    )


def _policy(one: AccessPolicy) -> Iterator[str]:
    """`az keyvault set-policy` would replace what the holder has. ARM's `add` does not."""
    yield f"# {one_line(one.why)}"
    if one.holder.id is None:
        yield f"# Not written: {_called(one.holder)} does not exist yet. Plan again when it does."
        return
    yield f"{_step(f'let {_called(one.holder)} use {called(str(one.vault))}: every permission except purge')}"
    show = _az("keyvault show", **_itself(one.vault), query="properties.tenantId", output="tsv")
    yield f"tenant=$({show})"
    entry = {"tenantId": _TENANT, "objectId": one.holder.id, "permissions": ACCESS_POLICY}
    body = json.dumps({"properties": {"accessPolicies": [entry]}})
    where = f"{url(one.vault)}/accessPolicies/add?api-version={_VAULT_VERSION}"
    written = shell(body).replace(_TENANT, f"'\"{_TENANT}\"'")
    yield f"{_az('rest', method='put', url=where)} --body {written} --output none"


def _switch_off(one: SwitchOff) -> Iterator[str]:
    """Workspaces keep the password until their keys are refreshed. A new plan may name more of them."""
    registry, name = shell(str(one.registry)), f"the admin user of {called(str(one.registry))}"
    known = [url(each) for each in one.resyncs]
    yield f"# {one_line(one.why)}"
    yield f"once_settled adminUserEnabled {registry} {registry}"
    yield "if [[ $verdict == now ]]; then"
    yield f"  {_step(f'turn off {name}')}"
    yield f"  {_az('acr update', **_itself(one.registry), admin_enabled='false', output='none')}"
    yield f"  refresh_others{''.join(f' {shell(each)}' for each in known)}"
    yield "elif [[ $verdict != nothing ]]; then"
    yield f'  leave {shell(name)} "$reason"'
    yield "fi"
    if known:
        yield "# An earlier run may have ended in between. To do it again does no harm."
        yield "if [[ $verdict == now || $verdict == nothing ]]; then"
        urls = (f"{each}/resyncKeys?api-version={_AML_VERSION}" for each in known)
        yield from (f"  {_az('rest', method='post', url=each, output='none')}" for each in urls)
        yield "fi"


def _removal(one: TakenBack) -> Iterator[str]:
    first, *others = [str(each) for each in one.workspaces] or [str(one.assignment.subscription or one.assignment)]
    scopes = "".join(f" --scope {shell(each)}" for each in others)
    name = called(str(one.assignment))
    yield f"# {one_line(one.why)}"
    yield f"look_again removal {shell(str(one.assignment))} {shell(first)}{scopes}"
    yield "if [[ $verdict == now ]]; then"
    yield f"  {_step(f'take back {name}')}"
    yield f"  {_az('role assignment delete', ids=str(one.assignment))}"
    yield "elif [[ $verdict != nothing ]]; then"
    yield f'  leave {shell(name)} "$reason"'
    yield "fi"


def _step(text: str) -> str:
    return f"step {shell(one_line(text))}"


def _called(holder: Holder) -> str:
    resource = called(str(holder.resource)) if holder.resource else "the identity"
    return f"{resource} ({short_guid(holder.id)})" if holder.id else resource


def _itself(scope: Scope) -> dict[str, str]:
    return {"name": scope.name, **within(scope)}


def _az(command: str, **options: str) -> str:
    """A value that starts with a dash would be another option."""
    words = (
        f"--{name.replace('_', '-')}{'=' if value.startswith('-') else ' '}{shell(value)}"
        for name, value in options.items()
    )
    return f"az {command} {' '.join(words)}"
