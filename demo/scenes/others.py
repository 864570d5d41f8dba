"""Other teams, which work in other ways."""

from demo import bodies, places
from demo.stage import Scene, Stage
from demo.tenant import GROUP_NAME


async def _own_dependencies(stage: Stage) -> None:
    await stage.prepare({places.group("vision"): bodies.resource_group()})
    await stage.prepare({places.VISION_IDENTITY: bodies.identity()})
    body = bodies.workspace(
        bodies.uai(places.VISION_IDENTITY),
        storageAccount=places.VISION_STORE,
        keyVault=places.VISION_VAULT,
        applicationInsights=places.VISION_INSIGHTS,
        containerRegistry=places.VISION_REGISTRY,
        primaryUserAssignedIdentity=places.VISION_IDENTITY,
    )
    await stage.make(places.VISION, body, "create workspace vision as vision-mlw, on what is in shared-ml")
    identity = (await stage.people.get(places.VISION_IDENTITY))["properties"]["principalId"]
    await stage.see(
        "the workspace's identity holds what the policy allows",
        lambda world: (
            world.holds(identity, "Storage Blob Data Contributor", places.VISION_STORE)
            and world.holds(identity, "Contributor", places.VISION_STORE)
            and world.holds(identity, "Contributor", places.VISION_VAULT)
            and world.holds(identity, "Key Vault Administrator", places.VISION_VAULT)
            and world.found(places.VISION, "workspace-registry")
        ),
    )


async def _abac_registry(stage: Stage) -> None:
    body = bodies.workspace(
        bodies.SAI,
        storageAccount=places.FRAUD_STORE,
        keyVault=places.FRAUD_VAULT,
        containerRegistry=places.FRAUD_REGISTRY,
    )
    await stage.prepare({places.FRAUD: body})
    made = await stage.make(places.NIGHTLY, bodies.cluster(bodies.SAI), "create cluster nightly")
    await stage.see(
        "the cluster may read repositories",
        lambda world: world.holds(
            made["identity"]["principalId"], "Container Registry Repository Reader", places.FRAUD_REGISTRY
        ),
    )


async def _before_amlguard(stage: Stage) -> None:
    if stage.world.about(places.FORECAST):
        stage.screen.note("The clock has passed the hour of the timer, so the sweep has run already.")
    await stage.sweep()
    weekly = (await stage.people.get(places.WEEKLY))["identity"]["principalId"]
    await stage.see(
        "the sweep has found the old workspace",
        lambda world: (
            world.holds(weekly, "Storage Blob Data Reader", places.FORECAST_STORE)
            and world.recorded("Applied", places.FORECAST_REGISTRY, "adminUserEnabled")
            and world.recorded("Applied", places.FORECAST, "cachedKeys")
        ),
    )


async def _foreign_registry(stage: Stage) -> None:
    await stage.prepare({places.PROMO_JOBS: bodies.identity()})
    stage.act("create workspace promo on paymentsregistry, and cluster campaign")
    body = bodies.workspace(
        bodies.SAI,
        storageAccount=places.PROMO_STORE,
        keyVault=places.PROMO_VAULT,
        containerRegistry=places.PAYMENTS_REGISTRY,
    )
    campaign = bodies.cluster(bodies.uai(places.PROMO_JOBS))
    await stage.prepare({places.PROMO: body})
    await stage.prepare({places.CAMPAIGN: campaign})
    await stage.see(
        "role and switch-off are withheld",
        lambda world: (
            world.recorded("Withheld", places.CAMPAIGN)
            and world.recorded("Withheld", places.PAYMENTS_REGISTRY, "adminUserEnabled")
            and world.found(places.PROMO, "workspace-registry")
        ),
    )


OWN_DEPENDENCIES = Scene(
    "Everything customer-provided",
    "Team vision's workspace acts as a UAI. Its storage, vault and registry are in another resource group.",
    "AML grants such an identity nothing. amlguard grants what the policy allows and reports what it does not.",
    _own_dependencies,
)
ABAC_REGISTRY = Scene(
    "A registry with finer permissions",
    "Team fraud's registry is in ABAC mode: it has permissions by repository. A new cluster gets AcrPull from AML.",
    "AcrPull does nothing in that mode, so the pull fails although the role is there. It takes Repository Reader.",
    _abac_registry,
)
BEFORE_AMLGUARD = Scene(
    "A workspace from before",
    "Workspace forecast is from 2023, so there was no event about it. amlguard's timer looks at every workspace.",
    f"One cluster cannot read its data, the other can, through group {GROUP_NAME}. Nobody needs the admin user.",
    _before_amlguard,
)
FOREIGN_REGISTRY = Scene(
    "Somebody else's registry",
    "Team promo creates a workspace that names team payments' registry, and a cluster that is to pull from it.",
    "Whoever may write a workspace could otherwise open anybody's registry. So the role is withheld.",
    _foreign_registry,
)
