"""What rules want to see, as `Estate.facts` holds it."""

import asyncio
from collections.abc import Iterable

from shared.access.model import Fact, Part, Unreadable, Want
from shared.access.raw import misshapen
from shared.access.scope import Scope
from shared.ports import NotShownError, ReadFailedError, Reads


async def read_facts(wants: Iterable[Want], azure: Reads) -> dict[Want, Fact]:
    ordered = list(wants)
    return dict(zip(ordered, await asyncio.gather(*(read_fact(want, azure) for want in ordered)), strict=True))


async def read_fact(want: Want, azure: Reads) -> Fact:
    """If amlguard may not read something, rules say that it is unknown. Any other failure stops the reconcile."""
    try:
        if want.query:
            rows = [row async for row in azure.query(want.query)] if want.graph else await azure.logs(want.query)
            return Unreadable.NOT_CONFIGURED if rows is None else tuple(rows)
        if want.collection:
            listed = await azure.children(want.scope, want.collection, pages=want.pages)
            return listed if listed is None or isinstance(listed, Part) else tuple(listed)
        raw = await azure.resource(want.scope)
        return Unreadable.MISSHAPEN if misshapen(raw) else raw
    except NotShownError:
        return Unreadable.NOT_SHOWN
    except ReadFailedError as error:
        if error.forbidden:
            return Unreadable.FORBIDDEN
        raise


async def read_dependency(scope: Scope, azure: Reads) -> Fact:
    """Of what a workspace names everything must be known, but for what is not shown: then rules see nothing of it."""
    try:
        return await azure.resource(scope)
    except NotShownError:
        return Unreadable.NOT_SHOWN
