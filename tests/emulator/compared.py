"""What the commands say of a connection and of snapshots of it, in one process: `forked` runs it as a program.

As many commands, each in a process of its own, would take minutes.
"""

import asyncio
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from undisguised import KEY, disguise
from wire import Json

from handlers.cli.desk import Where, planned
from handlers.cli.explain import explained_by
from handlers.cli.from_snapshot import opened, played
from handlers.cli.report import posture_by
from handlers.cli.snapshot import taken
from handlers.runtime import Runtime, connected
from shared.access.scope import Scope
from shared.ports import AzureFailureError

RESULT = "compared.json"
# What differs between two runs by itself.
_OF_THE_RUN = ("time", "policy")


@dataclass(frozen=True, slots=True)
class _Control:
    """The operator's side of the local Azure."""

    ready: Json

    def asked(self) -> list[str]:
        """What kinds of requests were made since the last look, as regular expressions for paths."""
        paths = [one["path"].partition("?")[0] for one in self._call("GET", "requests").json()]
        self._call("DELETE", "requests")
        return sorted({_kind(path) for path in paths if path.casefold().startswith(("/subscriptions", "/providers"))})

    def faults(self, *faults: Json) -> None:
        self._call("POST", "faults", list(faults))

    def _call(self, method: str, route: str, body: Any = None) -> requests.Response:
        url, token = f"{self.ready['arm']}/_local/{route}", {"Authorization": f"Bearer {self.ready['operatorToken']}"}
        answer = requests.request(method, url, json=body, headers=token, verify=self.ready["ca"], timeout=60)
        answer.raise_for_status()
        return answer


def _kind(path: str) -> str:
    """All paths of that form, whatever the names in them are."""
    parts = path.split("/")
    for at in range(2, len(parts), 2):
        if parts[at - 1].casefold() != "providers":
            parts[at] = "[^/?]+"
    return f"(?i)^{'/'.join(re.escape(one) if one != '[^/?]+' else one for one in parts)}(\\?|$)"


def compared(arguments: list[str]) -> int:
    """`arguments` are a folder with `ready.json` and `policy.yaml`, `forbid` or not, and what to explain.

    The result is a file in the folder.
    """
    folder, forbid, *resources = Path(arguments[0]), arguments[1] == "forbid", *arguments[2:]
    ready = json.loads((folder / "ready.json").read_text("utf-8"))
    where = Where(policy_file=folder / "policy.yaml", fresh=True)
    found = asyncio.run(_all(_Control(ready), where, folder, resources, forbid=forbid))
    (folder / RESULT).write_text(json.dumps(found), encoding="utf-8")
    return 0


async def _all(control: _Control, where: Where, folder: Path, resources: Sequence[str], *, forbid: bool) -> Json:
    control.asked()
    live = await _live(where, resources)
    kinds = control.asked()
    names, disguised = folder / "names.json", folder / "disguised.json"
    _write(names, (await taken(where)).text())
    _write(disguised, (await taken(where, KEY)).text())
    then = await _said(opened(played(names), None), where, resources)
    hidden = [Scope.parse(one) for one in resources]
    made: Json = {"live": live, "then": then, "disguised": {}, "forbidden": {}, "kinds": kinds}
    made["disguised"] = await _said(opened(played(disguised), None), where, _disguised(names, hidden))
    for kind in kinds if forbid else ():
        control.faults({"path": kind, "status": 403, "code": "AuthorizationFailed"})
        made["forbidden"][kind] = await _forbidden(where, folder / "forbidden.json", resources[:2])
        control.faults()
    return made


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def _disguised(names: Path, resources: Sequence[Scope]) -> list[str]:
    hidden = disguise(json.loads(names.read_text("utf-8")))
    return [str(hidden.scope(one)) for one in resources]


async def _forbidden(where: Where, file: Path, resources: Sequence[str]) -> Json:
    live = await _live(where, resources)
    try:
        text = (await taken(where)).text()
    except AzureFailureError as error:
        return {"live": live, "then": None, "why": str(error)}
    _write(file, text)
    return {"live": live, "then": await _said(opened(played(file), None), where, resources)}


async def _live(where: Where, resources: Sequence[str]) -> Json:
    async with connected(os.environ, where.policy_file) as services:
        return await _said(services, where, resources)


async def _said(services: Runtime, where: Where, resources: Sequence[str]) -> Json:
    said: Json = {"explain": {}}
    try:
        said["plan"] = _same((await planned(where, services)).document())
        said["report"] = _same(json.loads((await posture_by(where, services, None)).json()))
    except AzureFailureError as error:
        said["error"] = str(error)
    for one in resources:
        try:
            said["explain"][one] = (await explained_by(Scope.parse(one), services)).document()
        except AzureFailureError as error:
            said["explain"][one] = str(error)
    return said


def untimed(said: Any, today: str) -> Any:
    """Without the times of the run: an assignment without a time counts as made now, and waits end later."""
    text = re.sub(rf"{today}[T ][0-9:.]+(\+00:00|Z)?", "NOW", json.dumps(said))
    return json.loads(text)


def _same(told: Json) -> Json:
    looked = {name: value for name, value in told["lookedAt"].items() if name not in _OF_THE_RUN}
    return {name: value for name, value in told.items() if name not in _OF_THE_RUN} | {"lookedAt": looked}
