"""What people type: the examples in each command's help. A test parses each of them."""

from collections.abc import Mapping

_SUBSCRIPTION = "/subscriptions/11111111-1111-4111-8111-111111111111"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/ml"
_REGISTRY = f"{_GROUP}/providers/Microsoft.ContainerRegistry/registries/mlacr"

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "": (
        "amlguard plan",
        f"amlguard explain {_REGISTRY}",
        f"amlguard apply --scope {_GROUP}",
    ),
    "plan": (
        "amlguard plan",
        f"amlguard plan --scope {_GROUP} --full",
        "amlguard plan --severity high --workspace 'prod-*'",
        "amlguard plan --format sarif --out amlguard.sarif --fail-on high",
        "amlguard plan --rule AML-21 --format json --out plan.json",
        "amlguard plan --template ml/main.bicepparam --fail-on grant",
        f"amlguard plan --template ml/main.bicep --parameter prefix=demo --scope {_GROUP}",
        "amlguard plan --snapshot tenant.json",
        "amlguard plan --format bicep --out missing.bicep",
        "amlguard plan --format az --out missing.sh",
    ),
    "report": (
        "amlguard report",
        f"amlguard report --scope {_SUBSCRIPTION} --out posture.html --audit-file amlguard.jsonl",
    ),
    "snapshot": (
        "amlguard snapshot --out tenant.json",
        f"amlguard snapshot --scope {_GROUP} --out tenant.json --policy policy.yaml",
    ),
    "diff": ("amlguard diff monday.json friday.json", "amlguard diff monday.json friday.json --format json"),
    "apply": (
        f"amlguard apply --scope {_GROUP}",
        "amlguard apply --plan plan.json --audit-file amlguard.jsonl",
        "amlguard apply --yes --policy policy.yaml",
    ),
    "undo": (
        "amlguard undo 6d8f6d3e-3d0c-4b8e-9a52-8f7a0c6e2b11",
        "amlguard undo RUN_ID --audit-file amlguard.jsonl --yes",
    ),
    "approve": ("amlguard approve", "amlguard approve RUN_ID"),
    "explain": (
        f"amlguard explain {_REGISTRY}",
        f"amlguard explain {_GROUP}/providers/Microsoft.MachineLearningServices/workspaces/fraud --format mermaid",
    ),
    "event": ("amlguard event delivery.json", "amlguard event - --policy policy.yaml"),
    "rules": ("amlguard rules", "amlguard rules AML-21", "amlguard rules --mode audit --severity high"),
    "status": ("amlguard status", "amlguard status --format json"),
    "sweeps": ("amlguard sweeps", "amlguard sweeps --start"),
    "policy": ("amlguard policy check policy.yaml", "amlguard policy schema"),
    "policy check": ("amlguard policy check policy.yaml", "amlguard policy check policy.yaml --online"),
    "policy condition": ("amlguard policy condition --policy policy.yaml",),
    "policy push": ("amlguard policy push policy.yaml",),
    "policy show": ("amlguard policy show",),
    "policy schema": ("amlguard policy schema",),
    "emulate": ("amlguard emulate --port 0", "amlguard emulate --tenant tenant.json --no-functions"),
    "completion": ('eval "$(amlguard completion bash)"', "amlguard completion zsh"),
}
