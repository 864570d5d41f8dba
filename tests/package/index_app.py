"""`python -I -S index_app.py APP SITE_PACKAGES WORKER CHECKOUT`: indexes APP as the service's worker does.

The process knows nothing but the three folders. Prints JSON: the functions, what came from the checkout all the same,
and where the app's own code came from.
"""

import asyncio
import json
import sys
from types import SimpleNamespace

app, site_packages, worker, checkout = sys.argv[1:]
sys.path[:0] = [app, site_packages, worker]


async def index() -> list[str]:
    import protos  # type: ignore[import-not-found]  # noqa: PLC0415 - found on the path only now
    from azure_functions_runtime.handle_event import (  # noqa: PLC0415 - as above
        functions_metadata_request,
        worker_init_request,
    )

    init = SimpleNamespace(capabilities={}, function_app_directory=app)
    request = SimpleNamespace(worker_init_request=init)
    properties = {"host": "127.0.0.1", "protos": protos}
    await worker_init_request(SimpleNamespace(request=request, properties=properties))
    found = await functions_metadata_request(None)
    return [each.name for each in found.function_metadata_results or []]


names = asyncio.run(index())
import handlers.runtime  # noqa: E402, F401 - what the first event loads
import shared.reconcile  # noqa: E402 - as above

files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
wild = [name for name, file in files.items() if file.startswith(checkout) and name != "__main__"]
print(json.dumps({"names": names, "wild": wild, "shared": shared.reconcile.__file__}))  # noqa: T201 - read by the test
