"""How the story must end: every role that amlguard grants, every setting that it changes, and what it must say."""

from demo import places

AML_REGISTRY = "the registry that AML made"
"""Stands for an id that is known only once AML has chosen it."""

GRANTS: frozenset[tuple[str, str, str]] = frozenset(
    {
        ("cluster churn/train", "AcrPull", AML_REGISTRY),
        ("churn-scorer", "AcrPull", AML_REGISTRY),
        ("churn-scorer", "Storage Blob Data Reader", places.CHURN_STORE),
        ("vision-mlw", "Storage Blob Data Contributor", places.VISION_STORE),
        ("vision-mlw", "Contributor", places.VISION_STORE),
        ("vision-mlw", "Contributor", places.VISION_VAULT),
        ("vision-mlw", "Key Vault Administrator", places.VISION_VAULT),
        ("cluster fraud/nightly", "Container Registry Repository Reader", places.FRAUD_REGISTRY),
        ("cluster forecast/weekly", "Storage Blob Data Reader", places.FORECAST_STORE),
    }
)
"""Who, role, scope: all roles that amlguard's identity has granted, and nothing else."""

ADMIN_USERS: dict[str, bool] = {
    AML_REGISTRY: False,
    places.VISION_REGISTRY: False,
    places.FRAUD_REGISTRY: False,
    places.FORECAST_REGISTRY: False,
    places.PAYMENTS_REGISTRY: True,
}
"""Whether the admin user is on."""

SWITCHED_OFF: dict[str, str] = {AML_REGISTRY: places.CHURN, places.FORECAST_REGISTRY: places.FORECAST}
"""Registries whose admin user amlguard turned off, and the workspace whose keys it resynced then."""

FINDINGS: dict[tuple[str, str], str] = {
    (places.SCRATCH, "compute-identity"): "has no identity and the admin user of registry",
    (places.VISION, "workspace-control"): "It does not hold Contributor there",
    (places.VISION, "workspace-registry"): "It does not hold Contributor there",
    (places.VISION, "workspace-insights"): "It does not hold Contributor there",
    (places.PROMO, "workspace-registry"): "It does not hold Contributor there",
    (places.FRAUD, "image-builder"): "It does not hold Container Registry Repository Writer there",
    (places.WEEKLY, "compute-writes-blobs"): "It does not hold Storage Blob Data Contributor there",
    (places.HOURLY, "compute-writes-blobs"): "It does not hold Storage Blob Data Contributor there",
    (places.FORECAST, "workspace-group-role"): "Azure AI Administrator is enough",
    (places.FORECAST_STORE, "storage-without-keys"): "missing is Storage File Data Privileged Contributor",
}
"""Resource and rule, and words that the message must contain."""

_ALLOW = f'trust: {{allow: ["{places.PAYMENTS_REGISTRY}"]}}'
WITHHELD: dict[tuple[str, str, str], str] = {
    (places.CAMPAIGN, "compute-pull", "target-outside-boundary"): _ALLOW,
    (places.PAYMENTS_REGISTRY, "registry-admin-user", "target-outside-boundary"): _ALLOW,
}
"""Resource, rule and guard, and words that the reason must contain: here the line that would allow it."""
