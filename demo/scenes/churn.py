"""The life of one workspace: made, trained on, served from, broken and mended."""

from datetime import timedelta
from typing import Any

from demo import bodies, places
from demo.stage import Scene, Stage
from demo.tenant import SETTLE_MINUTES, TENANT_ID
from demo.world import World

type Json = dict[str, Any]


async def _workspace(stage: Stage) -> None:
    await stage.prepare({places.group("churn"): bodies.resource_group()})
    stage.act("create storage, vault, Application Insights and the workspace")
    dependencies = {
        places.CHURN_STORE: bodies.storage(),
        places.CHURN_VAULT: bodies.vault(TENANT_ID),
        places.CHURN_INSIGHTS: bodies.insights(),
    }
    await stage.prepare(dependencies)
    body = bodies.workspace(
        bodies.SAI,
        storageAccount=places.CHURN_STORE,
        keyVault=places.CHURN_VAULT,
        applicationInsights=places.CHURN_INSIGHTS,
    )
    await stage.prepare({places.CHURN: body})
    await stage.see("amlguard has looked at the workspace")


async def _cluster(stage: Stage) -> None:
    await stage.make(places.TRAIN, bodies.cluster(bodies.SAI), "create cluster train, with a system-assigned identity")
    await stage.see("amlguard has looked at the cluster")


async def _first_job(stage: Stage) -> None:
    known = len(stage.world.attempts)
    await stage.make(places.FIRST_JOB, bodies.command_job(places.TRAIN), "run the first job")
    train = await stage.people.get(places.TRAIN)
    registry = await _registry(stage)
    await stage.see(
        "the cluster may pull, and the admin user stays on for now",
        lambda world: (
            world.holds(train["identity"]["principalId"], "AcrPull", registry)
            and world.recorded("Deferred", registry, "adminUserEnabled")
        ),
    )
    await _repeat(stage, [attempt["event"] for attempt in stage.world.attempts[known:]])
    await stage.let_time_pass(timedelta(minutes=SETTLE_MINUTES - 1))
    await stage.see("nothing more comes")
    on = (await stage.people.get(registry))["properties"]["adminUserEnabled"]
    stage.screen.note("The admin user is still on: it is too early." if on else "The admin user is off, too early!")
    await stage.let_time_pass(timedelta(minutes=1, seconds=5))
    await stage.see(
        "the admin user is off and the keys are resynced",
        lambda world: (
            world.recorded("Applied", registry, "adminUserEnabled")
            and world.recorded("Applied", places.CHURN, "cachedKeys")
        ),
    )


async def _repeat(stage: Stage, events: list[Json]) -> None:
    """Event Grid guarantees neither order nor single delivery. So the scene's events come again, the last one first."""
    before = len(stage.world.writes(stage.app))
    statuses = [await stage.people.deliver(event) for event in reversed(events)]
    await stage.see("amlguard has looked again")
    stage.repeats_wrote = len(stage.world.writes(stage.app)) - before
    answered = "all answered 2xx" if all(200 <= status < 300 for status in statuses) else f"answered {statuses}"
    stage.screen.note(
        f"The same {len(events)} events are delivered once more, the last one first: {answered}, "
        f"{stage.repeats_wrote} changes."
    )


async def _registry(stage: Stage) -> str:
    """The registry that AML made. AML chose its name."""
    workspace = await stage.people.get(places.CHURN)
    return str(workspace["properties"]["containerRegistry"])


async def _no_identity(stage: Stage) -> None:
    await stage.make(places.SCRATCH, bodies.cluster(None), "create cluster scratch, without an identity")
    await stage.see("the cluster is reported", lambda world: world.found(places.SCRATCH, "compute-identity"))


async def _endpoint(stage: Stage) -> None:
    await stage.prepare({places.CHURN_SCORER: bodies.identity()})
    scorer = (await stage.people.get(places.CHURN_SCORER))["properties"]["principalId"]
    await stage.make(
        places.SCORE, bodies.endpoint(bodies.uai(places.CHURN_SCORER)), "create endpoint churn-score as churn-scorer"
    )
    registry = await _registry(stage)
    await stage.see(
        "the endpoint's identity may pull and read",
        lambda world: (
            world.holds(scorer, "AcrPull", registry)
            and world.holds(scorer, "Storage Blob Data Reader", places.CHURN_STORE)
        ),
    )


async def _taken_away(stage: Stage) -> None:
    registry = await _registry(stage)
    train = (await stage.people.get(places.TRAIN))["identity"]["principalId"]
    held = stage.world.held(train, "AcrPull", registry)
    if held is None:
        stage.missed.append("the cluster's AcrPull was not there to be deleted")
        return
    stage.act("delete the cluster's AcrPull")
    await stage.people.delete(held["id"])

    def back(world: World) -> bool:
        now = world.held(train, "AcrPull", registry)
        return now is not None and bool(now["properties"]["createdOn"] > held["properties"]["createdOn"])

    await stage.see("the role is back", back)


WORKSPACE = Scene(
    "A workspace is created",
    "Team churn creates a workspace with its own storage, vault and Application Insights, but no container registry.",
    "Azure Machine Learning (AML) gives this workspace what it needs, so amlguard must add nothing.",
    _workspace,
)
CLUSTER = Scene(
    "A cluster is created",
    "A cluster of machines, with a system-assigned identity (SAI) that will pull container images to run jobs in.",
    "AML lets a cluster pull only from a registry that already exists. There is none, and AML never checks again.",
    _cluster,
)
FIRST_JOB = Scene(
    "The first job, and a registry with a shared password",
    "The job makes AML create the registry with its admin user on: one password that can pull and push everything.",
    "Turned off too early, it breaks every job. So first the role, then a wait, then the switch-off, then fresh keys.",
    _first_job,
)
NO_IDENTITY = Scene(
    "A cluster without an identity",
    "A second cluster is created, and nobody gives it an identity.",
    "With the admin user off it cannot pull. Which identity it should have is for people to decide.",
    _no_identity,
)
ENDPOINT = Scene(
    "A model goes live",
    "Team churn creates an online endpoint that runs as a user-assigned identity (UAI).",
    "AML sets up system-assigned identities only. This one could read neither its image nor its model.",
    _endpoint,
)
TAKEN_AWAY = Scene(
    "Somebody tidies up",
    "Somebody deletes a role assignment that nobody seems to need: the cluster's AcrPull.",
    "The next job would fail. A deletion is an event, too: amlguard looks again and puts the role back.",
    _taken_away,
)
