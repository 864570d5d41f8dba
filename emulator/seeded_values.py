"""Everything that the local Azure makes up. The same seed gives the same values, whatever happens at the same time."""

import random
import uuid


class SeededValues:
    def __init__(self, seed: int, starts: int = 0) -> None:
        """`starts` is how often what these values are for was started before."""
        self._seed = seed
        self._again = f" {starts}" if starts else ""
        self._series: dict[str, random.Random] = {}

    def guid(self, what: str) -> str:
        """Always the same for the same thing."""
        return _guid(self.random(what))

    def another(self, what: str) -> str:
        """A new GUID each time, for things of which there are many. To seed for each would take most of the time."""
        series = self._series.get(what)
        if series is None:
            series = self._series[what] = self.random(f"{what} 1{self._again}")
        return _guid(series)

    def random(self, what: str) -> random.Random:
        return random.Random(f"{self._seed}:{what}")

    def rotated[Item](self, collection: str, items: list[Item]) -> list[Item]:
        """A list whose order Azure does not promise, in an order that follows from this seed."""
        start = self.random(collection).randrange(len(items)) if items else 0
        return items[start:] + items[:start]


def _guid(chosen: random.Random) -> str:
    return str(uuid.UUID(int=chosen.getrandbits(128), version=4))
