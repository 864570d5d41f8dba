"""Holds ARM templates against checkov's rules. Run by .venv-infra's Python, which has checkov; see `scan.py`.

The command `checkov` loads every framework that it knows, which takes longer than the scan.

argv: the folder with the templates. stdout: checkov's report.
"""

import json
import sys

from checkov.arm.runner import Runner
from checkov.runner_filter import RunnerFilter


def main() -> None:
    report = Runner().run(root_folder=sys.argv[1], runner_filter=RunnerFilter(framework=["arm"]))
    json.dump(report.get_dict(is_quiet=True), sys.stdout, default=str)


if __name__ == "__main__":
    main()
