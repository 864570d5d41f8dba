"""The first plan of somebody who has just installed amlguard: a neglected tenant, on the command line."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import requests

from bench.asked import Request, request
from bench.figure import Figure
from bench.processes import running
from bench.sweep import BUCKET, REFILL_PER_SECOND
from bench.swept_azure import NoFigureError
from bench.tenant import Json, neglected

_SUBSCRIPTIONS = 2
# That Resource Graph cannot answer: computes, datastores, connections, environments, role assignments, and the
# diagnostic settings of the workspace and of each endpoint.
_LISTS = 6
_MOST = 8.0


def figures(size: int) -> Iterator[Figure]:
    """Raises `NoFigureError`."""
    yield from _figures(size, 3, 1, limited=True)
    yield from _figures(max(size // 10, 50), 5, 2, limited=False)


def _figures(size: int, computes: int, endpoints: int, *, limited: bool) -> Iterator[Figure]:
    print(f"first plan of {size} workspaces: begun", file=sys.stderr, flush=True)
    document, asked, wall = _plan(neglected(size, _SUBSCRIPTIONS, computes=computes, endpoints=endpoints))
    found = document["counts"]
    if found["workspaces"] != size or found["grants"] < size * (computes + endpoints) or document["errors"]:
        raise NoFigureError(f"the plan was not whole: {found}, {document['errors'][:3]}")
    name = f"{size}/{computes}+{endpoints}"
    lists = _LISTS + endpoints
    what = f"requests a workspace of a neglected tenant; peer: {lists} lists that only ARM knows"
    each = len(asked) / size
    yield Figure(f"plan_requests_per_workspace[{name}]", each, what, _MOST if limited else None, lists)
    yield Figure(f"plan_refused[{name}]", sum(one.status == 429 for one in asked), "answers 429", 0)
    reads = Counter(one.path.split("/")[2] for one in asked if one.path.startswith("/subscriptions/"))
    necessary = max(0.0, (max(reads.values()) - BUCKET) / REFILL_PER_SECOND)
    if necessary > 1:
        said = f"wall ({wall:.0f} s) / what ARM's bucket makes necessary; peer: that"
        yield Figure(f"plan_wall_ratio[{name}]", wall / necessary, said, 1.3 if limited else None, necessary)


def _plan(tenant: Json) -> tuple[Json, list[Request], float]:
    """The plan's document, what it asked, and how long it took."""
    with tempfile.TemporaryDirectory(prefix="amlguard-bench-") as name:
        folder = Path(name)
        (folder / "tenant.json").write_text(json.dumps(tenant), encoding="utf-8")
        with running("bench.lean", "--tenant", f"{folder}/tenant.json", "--live") as (ready, _):
            # At a desk: no log, no storage account of an app.
            env = {key: value for key, value in ready["env"].items() if "_LOG" not in key}
            out = folder / "plan.json"
            command = [sys.executable, "-m", "handlers.cli.main", "plan", "--format", "json", "--out", str(out)]
            began = time.monotonic()
            ended = subprocess.run(  # noqa: S603 - our own command
                command, env={**os.environ, **env}, capture_output=True, text=True, check=False
            )
            wall = time.monotonic() - began
            if ended.returncode not in {0, 2}:
                raise NoFigureError(f"plan ended with {ended.returncode}: {ended.stderr[-500:]}")
            log = requests.get(
                f"{ready['arm']}/_local/requests",
                headers={"Authorization": f"Bearer {ready['operatorToken']}"},
                verify=ready["ca"],
                timeout=300,
            )
            asked = [request(one) for one in log.json() if one["caller"]]
            return json.loads(out.read_text("utf-8")), asked, wall
