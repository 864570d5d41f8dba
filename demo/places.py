"""Where the demo plays: ARM ids, and short names for them."""

import re
from enum import StrEnum

SUBSCRIPTION = "/subscriptions/11111111-1111-4111-8111-111111111111"

_WORDS = {
    "registries": "registry",
    "storageaccounts": "storage",
    "vaults": "vault",
    "components": "Application Insights",
    "workspaces": "workspace",
    "computes": "cluster",
    "onlineendpoints": "endpoint",
    "userassignedidentities": "identity",
    "jobs": "job",
    "roleassignments": "role assignment",
    "resourcegroups": "resource group",
    "subscriptions": "subscription",
}
_LONGEST_NAME = 16
_ID = re.compile(r"/subscriptions/[^\s\"]*?([^\s\"/]+/[^\s\"/]+)(?=[\s\"]|$)")
_MADE_UP = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24}\b")


class Kind(StrEnum):
    WORKSPACE = "Microsoft.MachineLearningServices/workspaces"
    REGISTRY = "Microsoft.ContainerRegistry/registries"
    STORAGE = "Microsoft.Storage/storageAccounts"
    VAULT = "Microsoft.KeyVault/vaults"
    INSIGHTS = "Microsoft.Insights/components"
    IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"


def group(name: str) -> str:
    return f"{SUBSCRIPTION}/resourceGroups/{name}"


def place(kind: Kind, group_name: str, name: str) -> str:
    return f"{group(group_name)}/providers/{kind}/{name}"


def short(scope: str) -> str:
    """For example `registry fraudregistry`. A long name that a machine made is cut."""
    parts = scope.strip("/").split("/")
    if len(parts) < 2:
        return scope
    kind, name = parts[-2].lower(), parts[-1]
    shown = name if len(name) <= _LONGEST_NAME else f"{name[:8]}…"
    return f"{_WORDS.get(kind, kind)} {shown}"


def readable(text: str) -> str:
    """`text`, with ids and machine-made names cut to what distinguishes them."""
    return _MADE_UP.sub(r"\1…", _ID.sub(r"…/\1", text))


CHURN = place(Kind.WORKSPACE, "churn", "churn")
CHURN_STORE = place(Kind.STORAGE, "churn", "churnstore")
CHURN_VAULT = place(Kind.VAULT, "churn", "churn-vault")
CHURN_INSIGHTS = place(Kind.INSIGHTS, "churn", "churn-insights")
CHURN_SCORER = place(Kind.IDENTITY, "churn", "churn-scorer")
TRAIN = f"{CHURN}/computes/train"
SCRATCH = f"{CHURN}/computes/scratch"
FIRST_JOB = f"{CHURN}/jobs/first-job"
SCORE = f"{CHURN}/onlineEndpoints/churn-score"

VISION = place(Kind.WORKSPACE, "vision", "vision")
VISION_IDENTITY = place(Kind.IDENTITY, "vision", "vision-mlw")
VISION_STORE = place(Kind.STORAGE, "shared-ml", "visionstore")
VISION_VAULT = place(Kind.VAULT, "shared-ml", "vision-vault")
VISION_INSIGHTS = place(Kind.INSIGHTS, "shared-ml", "vision-insights")
VISION_REGISTRY = place(Kind.REGISTRY, "shared-ml", "visionregistry")

FRAUD = place(Kind.WORKSPACE, "fraud", "fraud")
FRAUD_STORE = place(Kind.STORAGE, "fraud", "fraudstore")
FRAUD_VAULT = place(Kind.VAULT, "fraud", "fraud-vault")
FRAUD_REGISTRY = place(Kind.REGISTRY, "fraud", "fraudregistry")
NIGHTLY = f"{FRAUD}/computes/nightly"

FORECAST = place(Kind.WORKSPACE, "forecast", "forecast")
FORECAST_STORE = place(Kind.STORAGE, "forecast", "forecaststore")
FORECAST_VAULT = place(Kind.VAULT, "forecast", "forecast-vault")
FORECAST_REGISTRY = place(Kind.REGISTRY, "forecast", "forecastregistry")
WEEKLY = f"{FORECAST}/computes/weekly"
HOURLY = f"{FORECAST}/computes/hourly"

PROMO = place(Kind.WORKSPACE, "promo", "promo")
PROMO_STORE = place(Kind.STORAGE, "promo", "promostore")
PROMO_VAULT = place(Kind.VAULT, "promo", "promo-vault")
PROMO_JOBS = place(Kind.IDENTITY, "promo", "promo-jobs")
CAMPAIGN = f"{PROMO}/computes/campaign"
PAYMENTS_REGISTRY = place(Kind.REGISTRY, "payments", "paymentsregistry")
