"""The story, in order."""

from emulator.demo.scenes import churn, others
from emulator.demo.stage import Scene

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
