"""Two clocks: that of the local Azure, which the story sets forward, and the real one."""

from datetime import datetime, timedelta


class StoryClock:
    """Turns times of the local Azure into real ones: the app stamps its records with real time, ARM with its own."""

    def __init__(self) -> None:
        self._advances: list[tuple[datetime, timedelta]] = []

    def advanced(self, now: datetime, by: timedelta) -> None:
        """`now` is the local Azure's time just after its clock was set forward."""
        self._advances.append((now, by))

    @property
    def offset(self) -> timedelta:
        return sum((by for _, by in self._advances), timedelta())

    def real(self, azure_time: datetime) -> datetime:
        return azure_time - sum((by for now, by in self._advances if azure_time >= now - by / 2), timedelta())

    def azure(self, real: datetime) -> datetime:
        """The local Azure's time at a moment of real time."""
        time = real
        for now, by in self._advances:
            time += by if time >= now - by else timedelta()
        return time


def parsed(text: str) -> datetime:
    return datetime.fromisoformat(text)
