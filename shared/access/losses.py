"""How a user-assigned identity can be gone although something still has it (AML-98)."""

from dataclasses import dataclass
from enum import StrEnum

from shared.access.scope import Scope


class Loss(StrEnum):
    DELETED = "deleted"
    MADE_ANEW = "made anew"


@dataclass(frozen=True, slots=True)
class Lost:
    """A user-assigned identity that is attached but can do nothing any more (AML-98).

    It was deleted, or made anew under its name. In the second case the resource still records the object id of the old
    one. `first`: ARM lists it before all others, so AML would take it as the default.
    """

    id: Scope
    how: Loss
    first: bool = True
