"""What Azure answers to a write, whatever shape it has, leaves the write on record and the state right."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from event_grid import event
from local_azure import LocalAzure
from reliability.conftest import Connect
from reliability.host import calm, deliver, work_off
from reliability.on_record import given, open_intents
from reliability.wired import Team, Wired
from tenants import Tenant
from wire import Json

_NOT_JSON: dict[str, Json] = {
    "truncated": {"status": 201, "body": '{"id": "/subscriptions/11111111-1111-41'},
}
_NO_OBJECT: dict[str, Json] = {
    "html": {"status": 200, "body": "<html>busy</html>", "headers": {"Content-Type": "text/html"}},
    "list": {"status": 201, "body": "[1]"},
    "bytes": {"status": 201, "body": '{"a": "\udcff"}'},
    "text": {"status": 201, "body": '"made"'},
}
_NOTHING: dict[str, Json] = {"empty": {"status": 201, "body": ""}, "null": {"status": 201, "body": "null"}}
_ANSWERS = _NOT_JSON | _NO_OBJECT | _NOTHING
_WAITS = {
    "word": "soon",
    "none": "",
    "past": "-1",
    "date": "Fri, 32 Nov 2026 25:00:00 GMT",
}
_POLLS = {"gone": 404, "forbidden": 403, "unsaid": 500}
_PULL = "Microsoft.ContainerRegistry/registries/pull/read"
_READ = "Microsoft.ContainerRegistry/registries/read"
_ROLES = {"lost": "", "kept": ""}
_TEAMS = ("calm", "dropped", *_ANSWERS, *(f"made{name}" for name in _ANSWERS), *_WAITS, *_POLLS, *_ROLES)


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    tenant = Tenant()
    for name in _TEAMS:
        of = Team(name).build(tenant, admin=name not in _ROLES)
        if name in _ROLES:
            _ROLES[name] = tenant.custom_role(f"puller {name}", of.subscription, actions=[_READ])
            for cluster in of.clusters:
                tenant.assign(of.registry, cluster, _ROLES[name])
    made = LocalAzure.start(tmp_path_factory.mktemp("answers"), tenant.document(), functions=False)
    yield made
    made.stop()


def _outcomes(one: Wired, action: str) -> list[str]:
    return [row["Outcome"] for row in one.audit.rows() if row["Action"] == action and row["Outcome"] != "Planned"]


async def test_without_trouble_all_is_done(azure: LocalAzure, connect: Connect) -> None:
    of = Team("calm")
    one = await connect(azure, of)
    assert await deliver(event(of.workspace), one) is None
    assert of.all_pull(azure)
    assert not azure.admin_user(of.registry)
    assert of.resyncs(azure) == 1
    assert _outcomes(one, "Grant") == ["Applied", "Applied"]
    assert open_intents(one.audit.rows()) == set()


async def _answered(of: Team, name: str, azure: LocalAzure, connect: Connect) -> Wired:
    """One of two grants is made, and Azure's answer says nothing of it; then the queue works, and a sweep."""
    one = await connect(azure, of)
    azure.faults(of.fault("PUT", ".*/roleAssignments/", after=True, times=1, **_ANSWERS[name]))
    await deliver(event(of.workspace), one)
    planned = [row for row in one.audit.rows("Planned") if row["Action"] == "Grant"]
    given(len(planned) == 2 and of.all_pull(azure), "both grants were made")
    await work_off(one, hours=2)
    await calm(one, sweeps=1)
    return one


@pytest.mark.parametrize("name", _ANSWERS)
async def test_what_was_made_is_not_told_as_failed(name: str, azure: LocalAzure, connect: Connect) -> None:
    """grant_answer_html.py, grant_answer_list.py, grant_answer_not_utf8.py: intents stayed without an outcome.

    grant_answer_truncated.py: what was made was on record as Failed.
    """
    of = Team(name)
    one = await _answered(of, name, azure, connect)
    assert open_intents(one.audit.rows()) == set()
    assert "Failed" not in _outcomes(one, "Grant")
    assert not azure.admin_user(of.registry)


@pytest.mark.parametrize("name", _ANSWERS)
async def test_what_was_made_is_told_as_made(name: str, azure: LocalAzure, connect: Connect) -> None:
    """No row ever said that it was made, so undo found nothing."""
    one = await _answered(Team(f"made{name}"), name, azure, connect)
    assert _outcomes(one, "Grant").count("Applied") == 2


@pytest.mark.parametrize("name", _WAITS)
async def test_a_retry_after_that_is_none_is_no_end_of_the_run(name: str, azure: LocalAzure, connect: Connect) -> None:
    """grant_retry_after_text.py: a ValueError escaped, and what was granted beside it had no outcome for ever."""
    of = Team(name)
    one = await connect(azure, of)
    later = {"status": 429, "body": "{}", "headers": {"Retry-After": _WAITS[name]}}
    azure.faults(
        of.fault("PUT", ".*/roleAssignments/", times=1, **later), of.fault("GET", ".*/locks", times=1, **later)
    )
    await deliver(event(of.workspace), one)
    await work_off(one)
    assert open_intents(one.audit.rows()) == set()
    assert of.all_pull(azure)
    assert _outcomes(one, "Grant").count("Applied") == 2


async def _switched_off(of: Team, azure: LocalAzure, connect: Connect, *faults: Json) -> None:
    one = await connect(azure, of)
    azure.faults(*faults)
    await deliver(event(of.workspace), one)
    given(not azure.admin_user(of.registry), "the admin user went off")
    await work_off(one, hours=2)
    await calm(one, sweeps=1)


@pytest.mark.parametrize("name", _POLLS)
async def test_a_switch_off_whose_operation_is_lost_ends_with_the_resync(
    name: str, azure: LocalAzure, connect: Connect
) -> None:
    """switch_off_poll_404.py: recorded as Failed, and the reminder was withdrawn."""
    of = Team(name)
    result = f"{azure.ready['arm']}{of.group}/providers/Microsoft.ContainerRegistry/operationResults/x?api-version=1"
    begun = {"status": 202, "body": "{}", "headers": {"Location": result}}
    await _switched_off(
        of,
        azure,
        connect,
        of.fault("PATCH", ".*/registries/", after=True, times=1, **begun),
        of.fault("GET", ".*/operationResults/", status=_POLLS[name]),
    )
    assert of.resyncs(azure) >= 1


async def test_a_switch_off_that_is_not_answered_ends_with_the_resync(azure: LocalAzure, connect: Connect) -> None:
    of = Team("dropped")
    await _switched_off(of, azure, connect, of.fault("PATCH", ".*/registries/", after=True, times=1, drop=True))
    assert of.resyncs(azure) >= 1


async def _with_a_custom_role(of: Team, azure: LocalAzure, connect: Connect, *, for_ever: bool) -> None:
    """The clusters' only role at the registry gives the pull when it is first read; then the admin user comes on."""
    one = await connect(azure, of)
    role = _ROLES[of.name]
    strong = azure.get(f"{of.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}")
    strong["properties"]["permissions"][0]["actions"].append(_PULL)
    pulls = {"method": "GET", "path": f"roleDefinitions/{role}", "status": 200, "body": json.dumps(strong)}
    azure.faults(pulls)
    await deliver(event(of.workspace), one)
    given(not one.audit.rows() and not of.all_pull(azure), "the role gave all that is needed")
    if not for_ever:
        azure.faults()
    azure.patch(of.registry, {"properties": {"adminUserEnabled": True}})
    one.azure.advance(timedelta(hours=1))
    await deliver(event(of.workspace), one)


async def test_a_custom_role_that_gives_the_pull_is_enough(azure: LocalAzure, connect: Connect) -> None:
    of = Team("kept")
    await _with_a_custom_role(of, azure, connect, for_ever=True)
    assert not azure.admin_user(of.registry)


async def test_no_admin_user_goes_off_by_what_a_custom_role_once_gave(azure: LocalAzure, connect: Connect) -> None:
    of = Team("lost")
    await _with_a_custom_role(of, azure, connect, for_ever=False)
    assert azure.admin_user(of.registry) or of.all_pull(azure)
