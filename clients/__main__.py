"""`python -m clients [az|azureml]…`: carries out the operations of real clients, and prints how many work.

Exits 1 where an operation does otherwise than its list says: one that should work does not, or one works that should
not. So the lists are always what docs/emulator.md says of them.
"""

import sys

from clients import cli, machine_learning
from clients.local import running
from clients.results import Results

_KINDS = {"az": cli.carry_out, "azureml": machine_learning.carry_out}


def main(wanted: list[str]) -> int:
    unknown = [name for name in wanted if name not in _KINDS]
    if unknown:
        print(f"there is no client {', '.join(unknown)}; there are {', '.join(_KINDS)}", file=sys.stderr)
        return 2
    surprises = 0
    for name in wanted or _KINDS:
        with running() as local:
            results = _KINDS[name](local, Results(name))
        print(results.summary())
        surprises += results.surprises
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
