"""Whatever an expression looks like: what is not understood is unknown, with its text, and nothing is guessed."""

from hypothesis import given
from hypothesis import strategies as st
from unit.template import made
from unit.template.made import CLUSTER, GROUP, IDENTITY, REGISTRY, STORAGE, assigned, of_identity, with_pull

from shared.template.expressions import ExpressionError, is_expression, parse
from shared.template.functions import Person
from shared.template.snapshot import SnapshotError, snapshot
from shared.template.symbols import Holder, Symbols
from shared.template.values import Solver, Unsolved, suffixes

_FUNCTIONS = """
format if equals reference resourceId parameters utcNow guid concat variables first extensionResourceId deployer
environment empty not and coalesce subscription a1 toLower
"""
_NAMES = st.sampled_from(_FUNCTIONS.split())
_TEXTS = st.sampled_from(
    ["''", "'{0}'", "'x''y'", f"'{IDENTITY}'", f"'{REGISTRY}'", "'full'", "'2023-01-31'", "'/'", "1", "-2.5"]
)


def _call(name: str, arguments: list[str]) -> str:
    return f"{name}({', '.join(arguments)})"


_CALLS = st.recursive(_TEXTS, lambda below: st.builds(_call, _NAMES, st.lists(below, max_size=4)), max_leaves=10)
_PATHS = st.lists(
    st.sampled_from([".principalId", ".identity", "['principalId']", ".outputs", ".value", ".objectId", "[0]"]),
    max_size=3,
)
_GRAMMATICAL = st.builds(lambda call, path: f"[{call}{''.join(path)}]", _CALLS, _PATHS)
_ANYTHING = st.text(max_size=40).map(lambda text: f"[{text}]")
EXPRESSIONS = _GRAMMATICAL | _ANYTHING


def _told(found: made.Outcome, text: str) -> bool:
    return text in found.unknown or "gives a secret" in found.unknown


@given(EXPRESSIONS)
def test_an_expression_comes_to_a_value_or_stays_what_it_is(written: str) -> None:
    found = Solver(Symbols(), suffixes("")).value(written)
    known = isinstance(found, str | int | float | bool | Holder | Person)
    assert known or (isinstance(found, Unsolved) and found.text.startswith("["))
    if is_expression(written):
        try:
            node = parse(written)
        except ExpressionError:
            assert isinstance(found, Unsolved)
        else:
            assert parse(f"[{node}]") == node


@given(EXPRESSIONS)
def test_whoever_it_may_be_a_role_is_missing_only_if_it_is_known_to_be_somebody_elses(written: str) -> None:
    whose = Solver(Symbols(), suffixes("")).value(written)
    found = with_pull(assigned(written))
    if isinstance(whose, Holder):
        assert found.pull() == ("held" if str(whose.resource).casefold() == IDENTITY.casefold() else "missing")
    elif isinstance(whose, Person):
        assert found.pull() == "missing"
    else:
        assert found.pull() == "unknown"


@given(EXPRESSIONS)
def test_wherever_it_may_be_a_role_is_missing_only_if_it_is_known_to_be_elsewhere(written: str) -> None:
    found = with_pull(assigned(of_identity()) | {"id": written})
    value = Solver(Symbols(), suffixes("")).value(written)
    if isinstance(value, str) and value.startswith("/"):
        assert found.pull() in ("held", "missing")  # an id, of whatever it is
    else:
        assert found.pull() == "unknown"


@given(EXPRESSIONS, st.sampled_from(["containerRegistry", "storageAccount", "keyVault"]))
def test_whatever_a_workspace_names_nothing_is_missing_at_a_place_that_nobody_knows(written: str, name: str) -> None:
    there = [one for one in made.base() if "workspaces" not in one["type"]]
    found = made.planned([*there, made.workspace(**{name: written}), made.cluster()])
    value = Solver(Symbols(), suffixes("")).value(written)
    if isinstance(value, Unsolved):
        assert _told(found, value.text[1:40])
        assert {scope for _, _, scope in found.missing} <= {GROUP, REGISTRY, STORAGE}
        assert name != "containerRegistry" or found.pull() == "unknown"


@given(EXPRESSIONS, st.sampled_from(["registry", "cluster", "identity"]))
def test_a_condition_that_nobody_can_tell_makes_nothing(written: str, what: str) -> None:
    condition = Solver(Symbols(), suffixes("")).value(written)
    if isinstance(condition, bool):
        return
    kind = {"registry": "registries", "cluster": "computes", "identity": "userAssignedIdentities"}[what]
    every = [*made.base(), made.cluster(), assigned(of_identity(), at=STORAGE)]
    found = made.planned([one | ({"condition": written} if one["type"].endswith(kind) else {}) for one in every])
    assert "whether it is made" in found.unknown
    assert what != "cluster" or not any(one["resourceId"] == CLUSTER for one in found.document["grants"])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | EXPRESSIONS,
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "type", "name", "properties", "identity", "principalId", "condition"]), below
        )
    ),
    max_leaves=12,
)


@given(_JSON, st.sampled_from(["id", "properties", "identity", "condition", "type", "name"]), st.integers(0, 5))
def test_no_shape_of_a_resource_ends_in_a_fault(value: object, key: str, at: int) -> None:
    every = [*made.base(), made.cluster()]
    every[at] = every[at] | {key: value}
    made.planned([one for one in every if isinstance(one.get("type"), str) and one["type"]])


@given(_JSON)
def test_no_json_ends_in_a_fault(document: object) -> None:
    for one in (
        document,
        {"predictedResources": document},
        {"predictedResources": [document], "diagnostics": document},
    ):
        try:
            read = snapshot(one, "x")
        except SnapshotError:
            continue
        made.planned(list(read.resources))  # type: ignore[arg-type]  # what a snapshot holds, whatever it is
