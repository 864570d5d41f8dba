"""A new rule is an entry and its cases: two files by hand, and the rest of a copy of this repository follows.

The rule needs nothing new: `compute-metrics` grants what `endpoint-writes-metrics` does, to other identities. No other
rule looks at events of identities, and none grants that unless the policy says so: both are seen to follow.
"""

import json
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

from shared.access.routing import route
from shared.access.rules import RULES
from shared.access.scope import Scope

ROOT = Path(__file__).parents[2]
_PARTS = ("shared", "handlers", "emulator", "demo", "docs", "infra", "bench", "tests", ".github")
_METRICS_WRITER = "635dd51f-9968-44d3-b7fb-6d9a6bd613ae"
_WATCHED = "Microsoft.ManagedIdentity/userAssignedIdentities"
_SECONDS = 900

ENTRY = """

from shared.access.needs import WRITE_METRICS
from shared.access.rules.identity_change import update_compute


def _writes_metrics(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    for compute in workspace.computes:
        if compute.identity.default:
            reason = f"{compute.identity.default.label} writes metrics to {workspace.id.name}"
            yield RequiredGrant(
                compute.identity.default, WRITE_METRICS, workspace.id, compute.id, ("AML-999",), reason
            )
        elif compute.identity.empty:
            yield Found(compute.id, f"{compute.id.name} writes no metrics.", {"change": update_compute(compute)})


RULES = (
    *RULES,
    Rule(
        name="compute-metrics",
        requirements=("AML-999",),
        mode=RuleKind.OPT_IN,
        optional=True,
        title="A compute's identity writes metrics to its workspace.",
        source=_INSTANCES,
        examine=_writes_metrics,
        acts="a cluster whose identity holds nothing on the workspace",
        leaves="a cluster that is AzureML Metrics Writer there",
        severity=Severity.LOW,
        remedy="It needs an identity to write metrics as: {change}",
        grants=(WRITE_METRICS,),
        keeps_apart=False,
        reads=(List.COMPUTES,),
        watches=(*_WATCHES, "Microsoft.ManagedIdentity/userAssignedIdentities"),
    ),
)
"""

CASES = '''"""Cases of a rule that is new."""

from catalogue.build import assign, compute, system, workspace
from catalogue.case import Case, Place, Tenant


def _cluster(*, held: bool = False, identity: bool = True):
    def build(place: Place) -> Tenant:
        ws = workspace(place)
        one = compute(ws, "c1", identity=system(place.object_id("c1")) if identity else None)
        role = "635dd51f-9968-44d3-b7fb-6d9a6bd613ae"
        return Tenant([ws, one], [assign(ws["id"], place.object_id("c1"), role)] if held else [])

    return build


CASES = (
    Case("compute-metrics", True, "holds nothing", _cluster(), "writes metrics to ws", "Applied"),
    Case("compute-metrics", True, "no identity", _cluster(identity=False), "write metrics as: `az", "Finding"),
    Case("compute-metrics", False, "holds it", _cluster(held=True)),
)
'''


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a copy of the repository, with the rule and what `make docs` writes; it sees no other checkout."""
    copy = tmp_path_factory.mktemp("copy")
    for part in _PARTS:
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (one for one in ROOT.iterdir() if one.is_file()):
        shutil.copy(file, copy)
    (copy / "node_modules").symlink_to(ROOT / "node_modules")
    with (copy / "shared/access/rules/instances.py").open("a", encoding="utf-8") as entry:
        entry.write(ENTRY)
    (copy / "tests/catalogue/cases_added.py").write_text(CASES, encoding="utf-8")
    python = _environment(copy)
    _run(python, "-m", "docs.generate")
    return python


def _environment(copy: Path) -> Path:
    """The packages that are installed here, but for this checkout itself, which is installed as a link."""
    venv.create(copy / ".venv", symlinks=True, with_pip=False)
    python = copy / ".venv" / "bin" / "python"
    packages = next((copy / ".venv").glob("lib/python*/site-packages"))
    (packages / "copy.pth").write_text(f"{copy}\n{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    command = python.with_name("amlguard")
    command.write_text(
        f"#!{python}\nimport sys\nfrom handlers.cli.main import main\nsys.exit(main())\n", encoding="utf-8"
    )
    command.chmod(0o755)
    return python


def _run(python: Path, *arguments: str) -> str:
    copy = python.parents[2]
    ran = subprocess.run([python, *arguments], cwd=copy, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert ran.returncode == 0, f"{ran.stdout[-4000:]}\n{ran.stderr[-4000:]}"
    return ran.stdout


def _filtered(root: Path) -> set[str]:
    """The operations that the deployed filters let through."""
    said = json.loads((root / "infra/generated/derived.json").read_text("utf-8"))
    return {one for each in said["eventSubscriptions"] for one in each["operations"]}


def test_the_copy_is_what_is_looked_at(python: Path) -> None:
    assert Path(_run(python, "-c", "import shared; print(shared.__file__)").strip()).is_relative_to(python.parents[2])


def test_docs_and_filters_follow(python: Path) -> None:
    operations, watched = _filtered(python.parents[2]), _filtered(ROOT)
    assert operations - watched == {f"{_WATCHED}/write", f"{_WATCHED}/delete"}
    section = (
        (python.parents[2] / "docs/rules.md").read_text("utf-8").split("\n## compute-metrics\n")[1].split("\n## ")[0]
    )
    assert "A compute's identity writes metrics to its workspace." in section
    assert "Finding: **low**. It needs an identity to write metrics as: `CHANGE`" in section
    assert "Grants: **AzureML Metrics Writer (preview)**" in section


def test_the_app_looks_where_its_events_say(python: Path) -> None:
    group = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg"
    asked = (
        "from shared.access.routing import route; from shared.access.rules import RULES; "
        "from shared.access.scope import Scope; "
        f"print(route(Scope.parse('{group}/providers/{_WATCHED}/me'), 'write', RULES) is not None)"
    )
    assert _run(python, "-c", asked) == "True\n"
    assert route(Scope.parse(f"{group}/providers/{_WATCHED}/me"), "write", RULES) is None


@pytest.mark.parametrize("enabled", [True, False])
def test_the_condition_follows(python: Path, tmp_path: Path, *, enabled: bool) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"rules: {{compute-metrics: {{enabled: {json.dumps(enabled)}}}}}\n", encoding="utf-8")
    said = _run(python, "-m", "handlers.cli.main", "policy", "condition", "--policy", str(policy))
    assert (_METRICS_WRITER in said) is enabled


def test_no_other_file_asks_to_be_touched(python: Path) -> None:
    held = (
        "rules",
        "rule_findings",
        "docs",
        "dependencies",
        "separation",
        "harmless_remedies",
        "privileged",
        "guardrails",
    )
    _run(python, "-m", "pytest", "-q", *(f"tests/unit/test_{one}.py" for one in held))
    still = "every_rule_has_a_case or every_case_is or entries_without or every_requirement"
    _run(python, "-m", "pytest", "-q", "tests/catalogue/test_catalogue.py", "-k", still)


def test_the_rule_acts_and_leaves_alone_as_its_cases_say(python: Path) -> None:
    """Last, and on a local Azure with the new cases only: the others are put away."""
    for other in (python.parents[2] / "tests/catalogue").glob("cases_*.py"):
        if other.stem != "cases_added":
            other.unlink()
    said = _run(python, "-m", "pytest", "-q", "-rA", "tests/catalogue/test_catalogue.py", "-k", "test_case")
    assert said.count("PASSED") == len(("acts", "acts", "leaves")), said
