"""The audit log as a file: whole lines or none, by nobody else's hand, and read back as it was written."""

import asyncio
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.access.history import past
from shared.audit_file import AuditFile
from shared.ports import AuditFailedError, ReadFailedError

TABLE = "AmlGuardRemediation_CL"
RUN = "0f0e5c1a-1111-4222-8333-444455556666"
OTHER = "0f0e5c1a-1111-4222-8333-444455557777"


def row(number: int, run: str = RUN, outcome: str = "Applied", days: int = 0, **more: Any) -> dict[str, Any]:
    at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    return {"TimeGenerated": at, "RunId": run, "ActionId": f"a{number}", "Outcome": outcome, "Reason": "why", **more}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def numbers(file: AuditFile, *runs: str) -> list[str]:
    return [str(one["ActionId"]) for one in asyncio.run(file.of_runs(runs or [RUN]))]


def test_rows_come_back_by_run_in_their_order(path: Path) -> None:
    file = AuditFile(path)
    asyncio.run(file.record(TABLE, [row(1), row(2, OTHER)]))
    asyncio.run(file.record("AmlGuardFinding_CL", [row(3)]))
    asyncio.run(file.record(TABLE, [row(4)]))
    assert numbers(AuditFile(path)) == ["a1", "a4"]
    assert numbers(AuditFile(path), RUN, OTHER) == ["a1", "a2", "a4"]
    assert [json.loads(line)["Table"] for line in path.read_text("utf-8").splitlines()].count(TABLE) == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@contextmanager
def opened_paths() -> Iterator[list[str]]:
    """What this process opens meanwhile, as the interpreter tells. A hook stays for as long as the process."""
    paths: list[str] = []
    listening = True

    def hear(event: str, told: tuple[Any, ...]) -> None:
        if listening and event == "open":
            paths.append(str(told[0]))

    sys.addaudithook(hear)
    yield paths
    listening = False


def test_the_name_of_a_new_file_is_put_on_disk_as_well(path: Path) -> None:
    """Else a loss of power could lose the file that holds the first record."""
    with opened_paths() as opened:
        asyncio.run(AuditFile(path).record(TABLE, [row(1)]))
    assert opened.index(str(path)) < opened.index(str(path.parent))
    with opened_paths() as opened:
        asyncio.run(AuditFile(path).record(TABLE, [row(2)]))
    assert str(path.parent) not in opened


def test_what_is_not_ascii_and_what_breaks_lines_stays_in_its_line(path: Path) -> None:
    asyncio.run(AuditFile(path).record(TABLE, [row(1, Reason="Ü\n\u2028\ud800\x00")]))
    (found,) = asyncio.run(AuditFile(path).of_runs([RUN]))
    assert found["Reason"] == "Ü\n\u2028\ud800\x00"
    assert len(path.read_bytes().splitlines()) == 1


def test_a_torn_line_is_passed_over_and_told_and_glues_to_nothing(path: Path) -> None:
    file = AuditFile(path)
    asyncio.run(file.record(TABLE, [row(1), row(2)]))
    path.write_bytes(path.read_bytes()[:-20])
    assert numbers(file) == ["a1"]
    assert file.passed_over == [f"line 2 of {path} is not a complete record, and is skipped"]
    asyncio.run(file.record(TABLE, [row(3)]))
    assert numbers(file) == ["a1", "a3"]
    assert len(file.passed_over) == 1


@pytest.mark.parametrize("line", ["[1]", '"text"', "null", "[" * 100_000, "\x00", '{"Table": "x"', "ÿ"])
def test_lines_of_others_are_passed_over(path: Path, line: str) -> None:
    file = AuditFile(path)
    asyncio.run(file.record(TABLE, [row(1)]))
    with path.open("a", encoding="latin-1") as lines:
        lines.write(f"{line}\n")
    assert numbers(file) == ["a1"]
    assert len(file.passed_over) == 1


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """As a full disk: a write gets a part of its data in, and the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_does_not_fit_is_not_accepted_and_leaves_no_half(path: Path) -> None:
    file = AuditFile(path)
    asyncio.run(file.record(TABLE, [row(1)]))
    before = path.read_bytes()
    with no_file_longer_than(len(before) + 30), pytest.raises(AuditFailedError, match="too large"):
        asyncio.run(file.record(TABLE, [row(2)]))
    assert path.read_bytes() == before


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    (path.parent / "elsewhere").write_text("", "utf-8")
    path.symlink_to(path.parent / "elsewhere")


def _for_all(path: Path) -> None:
    path.write_text("", "utf-8")
    path.chmod(0o666)


def _for_the_group(path: Path) -> None:
    path.write_text("", "utf-8")
    path.chmod(0o660)


@pytest.mark.parametrize("made", [_folder, _pipe, _link, _for_all, _for_the_group])
def test_what_is_no_file_of_ones_own_is_refused(path: Path, made: Any) -> None:
    made(path)
    file = AuditFile(path)
    for refused in (file.check(), file.record(TABLE, [row(1)])):
        with pytest.raises(AuditFailedError, match=str(path)):
            asyncio.run(refused)
    with pytest.raises(ReadFailedError):
        asyncio.run(file.of_runs([RUN]))
    assert not (path.parent / "elsewhere").exists() or (path.parent / "elsewhere").read_text("utf-8") == ""


@pytest.mark.parametrize("place", ["/dev/null", "/dev/full", "missing/audit.jsonl"])
def test_where_nothing_would_be_kept_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(AuditFailedError):
        asyncio.run(AuditFile(tmp_path / place).check())


def test_a_file_that_must_be_there_is_not_made(path: Path) -> None:
    with pytest.raises(AuditFailedError):
        asyncio.run(AuditFile(path, must_be_there=True).check())
    assert not path.exists()


def test_asking_adds_nothing(path: Path) -> None:
    asyncio.run(AuditFile(path).check())
    assert path.read_bytes() == b""
    asyncio.run(AuditFile(path).record(TABLE, [row(1)]))
    before = path.read_bytes()
    asyncio.run(AuditFile(path).check())
    assert path.read_bytes() == before


_WRITER = """
import asyncio, sys
from pathlib import Path
from shared.access.history import past
from shared.audit_file import AuditFile
async def main():
    file = AuditFile(Path(sys.argv[1]))
    for number in range(40):
        row = {"RunId": sys.argv[2], "ActionId": str(number), "Reason": "x" * 9000}
        await file.record("AmlGuardRemediation_CL", [row])
asyncio.run(main())
"""


def test_processes_do_not_write_into_each_others_lines(path: Path) -> None:
    runs = [f"run{number}" for number in range(3)]
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path), run]) for run in runs]
    assert [one.wait(60) for one in writers] == [0, 0, 0]
    file = AuditFile(path)
    assert [numbers(file, run) for run in runs] == [[str(number) for number in range(40)]] * 3
    assert file.passed_over == []


def test_how_often_something_was_made_lately(path: Path) -> None:
    file = AuditFile(path)
    asyncio.run(file.record(TABLE, [row(1, "r0", days=8), row(1, "r1", days=1)]))
    asyncio.run(file.record(TABLE, [row(1, "r2"), row(1, "r2"), row(1, "r3", "Failed"), row(2, "r3")]))
    asyncio.run(file.record(TABLE, [row(1, "r4", Reason="it was there already: why")]))  # of before the column Found
    asyncio.run(
        file.record(TABLE, [row(1, "r5", Found=True), row(1, "r6", Found=False, Reason="it was there already")])
    )
    made = past(asyncio.run(file.of_actions(["a1"])))
    assert {action: (one.times, one.run) for action, one in made.items()} == {"a1": (3, "r6")}
