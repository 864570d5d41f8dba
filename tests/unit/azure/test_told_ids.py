"""Of what resource an event tells, as ARM spells its id or as a URL does."""

from urllib.parse import quote

import pytest
from event_grid import event
from hypothesis import given
from hypothesis import strategies as st

from shared.access.names import complaint, is_safe
from shared.azure.events import MalformedEventError, read

GROUP = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg"
COMPONENTS = f"{GROUP}/providers/microsoft.insights/components"
SAFE = [one for code in range(0x3000) if is_safe(one := chr(code)) and one != "/"]
names = st.text(st.sampled_from(SAFE), min_size=1).filter(
    lambda one: not complaint("microsoft.insights/components", one)
)


def told(resource: str) -> str:
    found = read(event(resource, "delete"))
    assert found
    return str(found.scope)


@given(names)
def test_both_spellings_are_the_same(name: str) -> None:
    assert told(f"{COMPONENTS}/{name}") == f"{COMPONENTS}/{name}"
    assert told(f"{COMPONENTS}/{quote(name)}") == f"{COMPONENTS}/{name}"
    assert told(quote(f"{COMPONENTS}/{name}", safe="/':(),;=@!$*+~")) == f"{COMPONENTS}/{name}"


@pytest.mark.parametrize(
    "name",
    [
        "a%2fb",
        "a%2Fb",
        "%2e%2e",
        "%2E%2e/x/y",
        "a%5cb",
        "a%25b",
        "a%252fb",
        "a%3fb",
        "a%26b",
        "a%00b",
        "a%0ab",
        "a%7fb",
        "%61b",
        "a%2dc",
        "a%5fc",
        "a%cpu0%afb",
        "a%ff",
        "a%e2%80%aeb",
        "a%ef%bc%8fb",
        "a%e2%88%95b",
        "ends%20",
        "ends%2e",
        "50%",
        "a%2",
        "a%zzb",
        "a%u0020b",
        "..",
        "a&b",
    ],
)
def test_what_hides_something_is_malformed(name: str) -> None:
    with pytest.raises(MalformedEventError) as refusal:
        told(f"{COMPONENTS}/{name}")
    assert name not in str(refusal.value)


@pytest.mark.parametrize(
    "kind", ["Microsoft.MachineLearningServices/workspaces", "Microsoft.ContainerRegistry/registries"]
)
@pytest.mark.parametrize("name", ["a b", "a%20b", "a'b", "a%27b", "a%22b", "w%73", "a|b", "$(x)", "%C3%BC"])
def test_what_is_called_so_is_no_workspace_and_no_registry(kind: str, name: str) -> None:
    with pytest.raises(MalformedEventError):
        told(f"{GROUP}/providers/{kind}/{name}")
