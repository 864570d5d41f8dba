"""What Azure Machine Learning grants by itself (azure-facts §4), so that a template need not.

Only system-assigned identities get anything: a compute AcrPull on the registry of its workspace, if the registry is
there first; an online endpoint AcrPull and what it reads and writes. Whether it does so for a certain resource cannot
be seen beforehand.
"""

from shared.access.needs import PULL, READ_BLOBS, WRITE_METRICS
from shared.access.scope import Scope

_COMPUTES = "microsoft.machinelearningservices/workspaces/computes"
_ENDPOINTS = "microsoft.machinelearningservices/workspaces/onlineendpoints"
_BY_ITSELF = {
    _COMPUTES: frozenset({PULL.role_id}),
    _ENDPOINTS: frozenset({PULL.role_id, READ_BLOBS.role_id, WRITE_METRICS.role_id}),
}


def aml_may_add(holder: Scope, role_id: str) -> bool:
    """Whether AML may make this very grant when it makes `holder`, the resource whose own identity it is for."""
    return role_id.casefold() in _BY_ITSELF.get(holder.resource_type, ())
