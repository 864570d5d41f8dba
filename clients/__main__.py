"""`python -m clients [az|azureml|…]…`: carries out the operations of real clients, and prints how many work.

Exits 1 where an operation does otherwise than its list says: one that should work does not, or one works that should
not. So the lists are always what docs/emulator.md says of them.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping

from clients import cli, custodian, machine_learning, packages, snippets
from clients.local import running
from clients.results import Results
from clients.walks import play


def _az() -> Iterator[Results]:
    with running() as local:
        yield cli.carry_out(local, Results("az"))


def _azureml() -> Iterator[Results]:
    with running() as local:
        yield machine_learning.carry_out(local)


def _management() -> Iterator[Results]:
    with running() as local:
        yield from packages.management(local)


def _data() -> Iterator[Results]:
    with running("--topic") as local:
        yield from packages.data(local)


def _walks() -> Iterator[Results]:
    yield play.played()


def _snippets() -> Iterator[Results]:
    yield snippets.played(Results("snippets"))


def _custodian() -> Iterator[Results]:
    with running() as local:
        found = custodian.carry_out(local)
    if found:
        yield found
    else:
        print("custodian: not played, there is no Python 3.11 for it")


_KINDS: Mapping[str, Callable[[], Iterable[Results]]] = {
    "az": _az,
    "azureml": _azureml,
    "management": _management,
    "data": _data,
    "custodian": _custodian,
    "walks": _walks,
    "snippets": _snippets,
}


def main(wanted: list[str]) -> int:
    unknown = [name for name in wanted if name not in _KINDS]
    if unknown:
        print(f"there is no client {', '.join(unknown)}; there are {', '.join(_KINDS)}", file=sys.stderr)
        return 2
    surprises = 0
    for name in wanted or _KINDS:
        for results in _KINDS[name]():
            print(results.summary(), flush=True)
            surprises += results.surprises
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
