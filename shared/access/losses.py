"""How a user-assigned identity can be gone while something still has it (AML-98)."""

from dataclasses import dataclass
from enum import StrEnum

from shared.access.scope import Scope


class Loss(StrEnum):
    DELETED = "deleted"
    MADE_ANEW = "made anew"


@dataclass(frozen=True, slots=True)
class Lost:
    """A user-assigned identity that is attached and can do nothing any more (AML-98).

    Deleted, or made anew under its name: then the resource still records the object id of the old one. `first`: ARM
    lists it before all others, so that AML would take it as the default.
    """

    id: Scope
    how: Loss
    first: bool = True
