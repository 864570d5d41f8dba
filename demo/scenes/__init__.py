"""The story, in order."""

from demo.scenes import churn, others
from demo.stage import Scene

SCENES: tuple[Scene, ...] = (
    churn.WORKSPACE,
    churn.CLUSTER,
    churn.FIRST_JOB,
    churn.NO_IDENTITY,
    others.OWN_DEPENDENCIES,
    churn.ENDPOINT,
    others.ABAC_REGISTRY,
    churn.TAKEN_AWAY,
    others.BEFORE_AMLGUARD,
    others.FOREIGN_REGISTRY,
)
