"""The words of `bicep build` and `bicep snapshot`, answered by a compiler that runs already."""

import json
from itertools import batched
from pathlib import Path

from kept_command import Answered

from infra.compiler import Bicep, CompilerError


def answered(bicep: Bicep, folder: Path, words: list[str]) -> Answered:
    """What the command would say, and for a snapshot the file that it would write."""
    match words:
        case ["build", file, "--stdout"]:
            made = bicep.compile(folder / file)
            said = "".join(f"{one}\n" for one in made.findings)
            return (0, json.dumps(made.template), said) if made.template else (1, "", said)
        case ["snapshot", file, "--mode", "overwrite", *place]:
            parameters = folder / file
            where = {_name(option): value for option, value in batched(place, 2, strict=True)}
            try:
                snapshot = bicep.snapshot(parameters, where)
            except CompilerError as error:
                return 1, "", str(error)
            parameters.with_suffix(".snapshot.json").write_text(json.dumps(snapshot), "utf-8")
            return 0, "", ""
    return 1, "", f"nobody here answers {words}"


def _name(option: str) -> str:
    """Of what `bicep jsonrpc` calls `tenantId`, the command's option is `--tenant-id`."""
    first, *others = option.removeprefix("--").split("-")
    return first + "".join(map(str.capitalize, others))
