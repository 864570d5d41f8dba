"""Everything that the local Azure makes up, the same for the same seed."""

import random
import uuid


class MadeUp:
    """GUIDs and the like. `guid("operator")` is always the same for a seed; `guid()` is a new one each time."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)

    def guid(self, what: str | None = None) -> str:
        source = self.random if what is None else random.Random(f"{self.seed}:{what}")
        return str(uuid.UUID(int=source.getrandbits(128), version=4))

    def start(self, collection: str, length: int) -> int:
        """Where a list begins whose order Azure does not promise."""
        return random.Random(f"{self.seed}:{collection}").randrange(length) if length else 0
