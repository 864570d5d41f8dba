"""Laws of containment with teeth: comparing ids as text would break the second one."""

import string
from functools import cache
from random import Random

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from shared.access.scope import InvalidScopeError, Scope

PLAIN = string.ascii_letters + string.digits + "-_.()"
LETTERS = PLAIN + "äÖßçŁżκΔ"
# What Azure allows in some names only; and what an id never holds.
ODD = " *#<>:;'\"|`{}$^+=,~@![]\u20ac\u2713"
NEVER = "%?&\\\x00\x1f\x7f\n\x85\u200b\u202e\u2028\ud800\uff0f\u2215\u3164\ufe0f\u00a0\u2024"


@cache
def named(letters: str) -> st.SearchStrategy[str]:
    """One for each alphabet: hypothesis examines each new one, which takes longer than to draw a name."""
    names = st.text(letters, min_size=1, max_size=6)
    return names.filter(lambda name: not name.endswith((" ", ".")) and name != "providers")


types = st.sampled_from(["workspaces", "registries", "computes", "vaults"])
strict = st.sampled_from(
    [
        "Microsoft.MachineLearningServices/workspaces",
        "Microsoft.Keyvault/vaults",
        "microsoft.containerRegistry/registries",
    ]
)
loose = st.sampled_from(["microsoft.insights/components", "Contoso.Things/things"])


@st.composite
def ids(draw: st.DrawFn, kinds: st.SearchStrategy[str] = strict | loose, *, below: int = 1) -> str:
    base = draw(st.sampled_from(["", "/subscriptions/{}", "/subscriptions/{}/resourceGroups/{}"]))
    text = base.format(draw(named(LETTERS)), draw(named(LETTERS)))
    for _ in range(draw(st.integers(0 if text else 1, 2))):
        kind = draw(kinds)
        odd = ODD if kind.startswith(("microsoft.insights", "Contoso")) else ""
        text += f"/providers/{kind}/{draw(named(PLAIN + odd))}"
        text += "".join(f"/{draw(types)}/{draw(named(PLAIN))}" for _ in range(draw(st.integers(0, below))))
    return text


@given(ids())
def test_what_was_read_is_written_and_read_again(text: str) -> None:
    assert str(Scope.parse(text)) == text
    assert Scope.parse(text + "/") == Scope.parse(text)
    assert Scope.parse(Scope.parse(text).key) == Scope.parse(text)


@given(ids(), ids(), st.randoms(use_true_random=False))
def test_case_never_matters(text: str, other: str, dice: Random) -> None:
    spelled = "".join(c.swapcase() if c.isascii() and dice.random() < 0.5 else c for c in text)
    assert Scope.parse(spelled) == Scope.parse(text)
    assert hash(Scope.parse(spelled)) == hash(Scope.parse(text))
    assert Scope.parse(spelled).contains(Scope.parse(other)) is Scope.parse(text).contains(Scope.parse(other))
    assert Scope.parse(other).contains(Scope.parse(spelled)) is Scope.parse(other).contains(Scope.parse(text))
    assert Scope.parse(spelled).resource_type == Scope.parse(text).resource_type


@given(ids(), named(PLAIN))
@example("/subscriptions/s/resourceGroups/rg", "-prod")
def test_lengthening_the_last_segment_is_never_containment(text: str, more: str) -> None:
    short, long = Scope.parse(text), Scope.parse(text + more)
    assert not short.contains(long)
    assert not long.contains(short)
    assert short != long


@given(ids(), strict, named(PLAIN))
def test_appending_a_segment_always_is(text: str, kind: str, name: str) -> None:
    outer = Scope.parse(text)
    inner = outer.child("providers", *kind.split("/"), name)
    assert outer.contains(inner)
    assert not inner.contains(outer)
    assert inner.child("providers", *kind.split("/"), name).parent == inner
    assert inner.parent == outer


@given(ids(), ids())
def test_containment_is_an_order_under_one_root(one: str, other: str) -> None:
    a, b = Scope.parse(one), Scope.parse(other)
    assert a.contains(a)
    assert Scope.parse("/").contains(a)
    assert (a.contains(b) and b.contains(a)) is (a == b)


@given(ids())
def test_the_parts_of_an_id_contain_it(text: str) -> None:
    scope = Scope.parse(text)
    for part in (scope.subscription, scope.resource_group, scope.parent, scope.ancestor(scope.resource_type)):
        assert part is None or part.contains(scope)
    assert scope.ancestor(scope.resource_type) == scope
    assert scope.parent != scope
    assert (scope.subscription is None) is (not text.startswith("/subscriptions/"))


@given(ids(), st.sampled_from(NEVER), st.data())
def test_nothing_is_smuggled_in(text: str, evil: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    with pytest.raises(InvalidScopeError):
        Scope.parse(text[:at] + evil + text[at:])


@given(ids(strict, below=0), st.sampled_from(ODD), st.data())
def test_names_of_most_kinds_hold_nothing_odd(text: str, evil: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    with pytest.raises(InvalidScopeError):
        Scope.parse(text[:at] + evil + text[at:])


@given(ids(), st.sampled_from([".", ".."]), st.data())
def test_nothing_leads_upwards(text: str, step: str, data: st.DataObject) -> None:
    parts = text.split("/")
    at = data.draw(st.integers(1, len(parts)))
    with pytest.raises(InvalidScopeError):
        Scope.parse("/".join([*parts[:at], step, *parts[at:]]))


@given(st.one_of(st.text(max_size=60), st.binary(max_size=10), st.none(), st.integers(), st.lists(st.text(max_size=3))))
@settings(max_examples=300)
def test_whatever_is_sent_is_an_id_or_refused(value: object) -> None:
    try:
        scope = Scope.parse(value)
    except InvalidScopeError:
        return
    assume(isinstance(value, str))
    assert Scope.parse(str(scope)) == scope
