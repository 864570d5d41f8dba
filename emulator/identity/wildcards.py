"""Azure's patterns for actions: case never matters, `*` is any text, and `/*/` also matches just `/`."""

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    text = re.escape(pattern.lower()).replace(r"/\*/", "/(?:.*/)?").replace(r"\*", ".*")
    return re.compile(text)


def matches(pattern: str, action: str) -> bool:
    return _compiled(pattern).fullmatch(action.lower()) is not None
