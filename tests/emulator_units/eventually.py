import asyncio
from collections.abc import Callable


async def eventually(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Waits for a state that another process brings about; TimeoutError when it does not come."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - no event tells of another process's doing
            await asyncio.sleep(0.01)
