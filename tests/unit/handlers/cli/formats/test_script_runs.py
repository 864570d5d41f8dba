"""The script of a plan, run by bash: what it asks of `az` and in which order, by what a new plan says meanwhile.

`az`, `amlguard` and `sleep` are stand-ins. tests/catalogue/test_everything_as_code.py has the real ones.
"""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from plans import HOSTILE, poisoned
from unit.build import NOW, REGISTRY, VAULT, WORKSPACE, guid, sai
from unit.handlers.cli.formats import changes
from unit.handlers.cli.formats.changes import LATE, OLD, OTHER, SECOND, SHARED, off, resync

from handlers.cli.formats import az_script
from handlers.cli.formats.view import view
from handlers.cli.present import result_document
from shared.access.actions import Deferred, Plan, Refusal, Removal, Setting, Withheld
from shared.access.guards import Guard
from shared.access.plan_json import Document
from shared.access.report import Report
from shared.azure.arm import API_VERSIONS

_AZ = """#!/bin/bash
printf '%s\\n' "$#" "$@" >>"$CALLS"
[[ $* != *"$FAILS"* ]] || exit 3
[[ $1 != keyvault ]] || echo 11111111-0000-4000-8000-00000000000a
"""
_AMLGUARD = """#!/bin/bash
printf '%s\\n' "$#" "$@" >>"$LOOKS"
echo "$AMLGUARD_POLICY" >"$LOOKS.policy"
number=$(ls "$PLANS" | wc -l)
asked=$(grep -c '^plan$' "$LOOKS")
file=$PLANS/$((asked < number ? asked : number)).json
cat "$file"
exit "$CODE"
"""
_SLEEP = '#!/bin/bash\necho "$1" >>"$CALLS.slept"\n'


@dataclass(frozen=True)
class Ended:
    code: int
    err: str
    calls: list[list[str]]
    looks: list[list[str]]
    policy: str
    slept: int

    def commands(self) -> list[str]:
        """What was asked of az, in short and in order; things that are alike once."""
        return list(dict.fromkeys(_short(one) for one in self.calls))

    def resynced(self) -> list[str]:
        return [one[4].partition("/resyncKeys")[0] for one in self.calls if "/resyncKeys?" in " ".join(one)]


def _short(words: list[str]) -> str:
    if words[0] == "rest":
        return "resync" if words[2] == "post" else "access policy"
    return " ".join(words[: 3 if words[0] == "role" else 2])


type Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    def ran(*plans: Document | str, of: Document | None = None, **env: str) -> Ended:
        """The script of `of`. `plans` are what amlguard says when it is asked again; the last one stays."""
        home = tmp_path_factory.mktemp("script")
        (home / "bin").mkdir()
        (home / "plans").mkdir()
        for name, text in (("az", _AZ), ("amlguard", _AMLGUARD), ("sleep", _SLEEP)):
            (home / "bin" / name).write_text(text, "utf-8")
            (home / "bin" / name).chmod(0o755)
        for number, plan in enumerate(plans, 1):
            text = plan if isinstance(plan, str) else json.dumps(plan)
            (home / "plans" / f"{number}.json").write_text(text, "utf-8")
        (home / "missing.sh").write_text(az_script.text(view(of or changes.document())), "utf-8")
        known = {"PATH": f"{home}/bin{os.pathsep}{os.environ['PATH']}", "FAILS": "no such word", "CODE": "2"}
        known |= {"CALLS": f"{home}/calls", "LOOKS": f"{home}/looks", "PLANS": f"{home}/plans"}
        ended = subprocess.run(
            ["bash", home / "missing.sh"], env=known | env, capture_output=True, text=True, check=False, cwd=home
        )
        slept, policy = _lines(home / "calls.slept"), _lines(home / "looks.policy")
        calls, looks = _calls(home / "calls"), _calls(home / "looks")
        return Ended(ended.returncode, ended.stderr, calls, looks, "".join(policy), len(slept))

    return ran


@pytest.fixture(scope="module")
def done(run: Run) -> Ended:
    """All of it was still to be done."""
    return run(ALL_DUE)


def _lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines() if file.exists() else []


def _calls(file: Path) -> list[list[str]]:
    lines = _lines(file)
    found: list[list[str]] = []
    while lines:
        number = int(lines[0])
        found.append(lines[1 : number + 1])
        lines = lines[number + 1 :]
    return found


def now(*settings: Setting, removed: bool = True, **more: Any) -> Document:
    """A new plan: grants are there, and this is to be done."""
    removals = changes.report().plans[0].removals if removed else ()
    made = Plan(settings=settings, removals=removals, **more)
    return result_document(Report([made], [], [WORKSPACE], None, guid("me"), NOW, "0.1.0"))


def withheld(action: Setting | Removal) -> Withheld:
    return Withheld(action, Refusal(Guard.UNCOVERED_PULLER, "train cannot pull without it"))


ALL_DUE = now(off(), resync(WORKSPACE), resync(SECOND), off(LATE), resync(OTHER))
IN_ORDER = [
    "role assignment create",
    "keyvault show",
    "access policy",
    "acr update",
    "resync",
    "role assignment delete",
]


def test_it_does_all_of_the_plan_in_its_order(done: Ended) -> None:
    assert (done.code, done.err) == (0, "")
    assert done.commands() == IN_ORDER
    off_of = [one[one.index("--name") + 1] for one in done.calls if one[:2] == ["acr", "update"]]
    assert sorted(off_of) == ["acrml", "late"]
    (taken,) = (one for one in done.calls if one[:3] == ["role", "assignment", "delete"])
    assert taken == ["role", "assignment", "delete", "--ids", str(OLD)]


def test_an_access_policy_is_added_with_the_vaults_own_tenant(done: Ended) -> None:
    (one, _) = (one for one in done.calls if "accessPolicies" in " ".join(one))
    assert one[4].startswith(f"{VAULT}/accessPolicies/add?api-version=")
    (entry,) = json.loads(one[6])["properties"]["accessPolicies"]
    assert entry["tenantId"] == "11111111-0000-4000-8000-00000000000a"
    assert entry["objectId"] in {SHARED.id, sai("mlw").id}


def test_before_each_switch_off_and_removal_it_looks_again(done: Ended) -> None:
    assert [one[:3] for one in done.looks] == [
        ["plan", "--scope", str(LATE)],
        ["plan", "--scope", str(REGISTRY)],
        ["plan", "--scope", str(WORKSPACE)],
    ]
    assert all(one[3:] == ["--fresh", "--format", "json"] for one in done.looks)
    assert done.policy == "policy.yaml"


def test_the_policy_of_the_environment_comes_first(run: Run) -> None:
    assert run(ALL_DUE, AMLGUARD_POLICY="other.yaml").policy == "other.yaml"


def test_every_workspace_that_the_new_plan_names_is_resynced_once(done: Ended) -> None:
    of_first = done.resynced()[3:]  # after those of the other registry, whose plan names all of them here
    assert len(of_first) == len(set(of_first)) == 3


@pytest.mark.parametrize("part", ["withheld", "deferred"])
def test_what_somebody_still_needs_is_left_as_it_is(run: Run, part: str) -> None:
    both = (off(), off(LATE))
    held: Any = tuple(withheld(one) for one in both)
    if part == "deferred":
        held = tuple(Deferred(one, NOW + timedelta(minutes=9), "not settled") for one in both)
    ended = run(now(**{part: held}), AMLGUARD_WAIT_MINUTES="0")
    assert ended.code == 2
    assert "the admin user of registry acrml" in ended.err
    assert ("train cannot pull without it" if part == "withheld" else "not settled") in ended.err
    assert ended.commands() == [*IN_ORDER[:3], "role assignment delete"]


def test_what_one_plan_wants_and_another_withholds_is_left(run: Run) -> None:
    """A registry that two workspaces share: their plans are in one document."""
    ended = run(now(off(), resync(WORKSPACE), withheld=(withheld(off()),)))
    assert ended.code == 2
    assert "acr update" not in ended.commands()
    assert ended.resynced() == []


def test_it_waits_for_the_grants_to_act(run: Run) -> None:
    waits = now(deferred=(Deferred(off(LATE), NOW + timedelta(minutes=1), "not settled"),))
    ended = run(waits, waits, ALL_DUE)
    assert (ended.code, ended.slept) == (0, 2)
    assert ended.commands() == IN_ORDER


@pytest.mark.parametrize(
    ("plan", "code"),
    [("no JSON", "2"), ("", "0"), (ALL_DUE | {"errors": ["a workspace could not be read"]}, "2"), (ALL_DUE, "1")],
    ids=["no JSON", "nothing", "errors", "failed"],
)
def test_where_no_plan_can_be_made_nothing_goes_off(run: Run, plan: Document | str, code: str) -> None:
    ended = run(plan, CODE=code)
    assert ended.code == 1
    assert "nothing more is changed" in ended.err
    assert ended.commands() == IN_ORDER[:3]


def test_what_is_off_already_stays_and_its_keys_are_refreshed_again(run: Run) -> None:
    """An earlier run may have ended in between."""
    ended = run(now(removed=False))
    assert (ended.code, ended.err) == (0, "")
    assert ended.commands() == [*IN_ORDER[:3], "resync"]
    assert sorted(ended.resynced()) == sorted([str(WORKSPACE), str(SECOND)])


def test_a_removal_that_is_needed_again_is_left(run: Run) -> None:
    (removal,) = changes.report().plans[0].removals
    ended = run(now(removed=False, withheld=(withheld(removal),)))
    assert ended.code == 2
    assert "role assignment delete" not in ended.commands()


@pytest.mark.parametrize("fails", ["assignment create", "accessPolicies/add", "--admin-enabled", "resyncKeys"])
def test_it_stops_where_azure_refuses(run: Run, fails: str) -> None:
    ended = run(ALL_DUE, FAILS=fails)
    assert ended.code not in (0, 2)
    assert fails in " ".join(ended.calls[-1])


def test_without_its_tools_it_changes_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    for tool in ("bash", "sed"):
        (tmp_path / "none" / tool).symlink_to(Path("/usr/bin") / tool)
    ended = run(ALL_DUE, PATH=str(tmp_path / "none"))
    assert (ended.code, ended.calls) == (1, [])
    assert "needs amlguard on the PATH" in ended.err


def test_hostile_names_run_nothing(run: Run, done: Ended, tmp_path: Path) -> None:
    """The same calls, whatever people call things; only descriptions tell it."""
    evil = " ".join(one for key, one in HOSTILE.items() if key != "surrogate")
    evil += f" $(touch {tmp_path}/hit) `touch {tmp_path}/hit` ; touch {tmp_path}/hit '; touch {tmp_path}/hit #"
    clean = changes.document()
    kept = ("resourceId", "scope", "workspace", "workspaces", "principal", "property", "policy")
    ended = run(ALL_DUE, of=_keeping(poisoned(clean, evil), clean, kept))
    assert ended.code == 0, ended.err
    assert not (tmp_path / "hit").exists()
    said = [[word for word in one if "From a plan" not in word] for one in ended.calls]
    plain = [[word for word in one if "From a plan" not in word] for one in done.calls]
    assert said == plain


def _keeping(document: Any, clean: Any, names: tuple[str, ...]) -> Any:
    if isinstance(document, list):
        return [_keeping(*both, names) for both in zip(document, clean, strict=True)]
    if isinstance(document, dict):
        return {
            name: clean[name] if name in names else _keeping(one, clean[name], names) for name, one in document.items()
        }
    return document


def test_it_asks_for_the_version_that_amlguard_asks_for() -> None:
    assert API_VERSIONS["microsoft.machinelearningservices"] in az_script.text(view(changes.document()))
