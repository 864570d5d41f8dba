"""Holds ARM templates against checkov's rules. Run by .venv-infra's Python, which has checkov; see `scan.py`.

The command `checkov` loads every framework that it knows, which takes longer than the scan.

stdin: a folder with templates on each line. stdout: checkov's report of each, on a line.
"""

import json
import sys

from checkov.arm.runner import Runner
from checkov.runner_filter import RunnerFilter


def main() -> None:
    for line in sys.stdin:
        report = Runner().run(root_folder=line.rstrip("\n"), runner_filter=RunnerFilter(framework=["arm"]))
        sys.stdout.write(json.dumps(report.get_dict(is_quiet=True), default=str) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
