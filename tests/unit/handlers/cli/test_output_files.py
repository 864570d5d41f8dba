"""What a command writes never replaces what it reads, and is said to be impossible before any work is done."""

from pathlib import Path

import pytest

from handlers.cli.main import main

KEPT = "kept"
# No file of these can be read, which nobody notices before the work begins.
COMMANDS = [
    (["plan", "--snapshot", "FILE", "--out", "FILE"], "--snapshot"),
    (["plan", "--snapshot", "FILE", "--out", "folder/../FILE"], "--snapshot"),
    (["plan", "--snapshot", "FILE", "--also", "json=FILE"], "--snapshot"),
    (["plan", "--snapshot", "x", "--policy", "FILE", "--out", "FILE"], "--policy"),
    (["plan", "--snapshot", "x", "--out", "FILE", "--also", "sarif=FILE"], "--out"),
    (["plan", "--snapshot", "x", "--also", "json=FILE", "--also", "sarif=FILE"], "--also json"),
    (["plan", "--template", "x.json", "--template", "FILE", "--out", "FILE"], "--template"),
    (["report", "--snapshot", "FILE", "--out", "FILE"], "--snapshot"),
    (["apply", "--audit-file", "FILE", "--out", "FILE"], "--audit-file"),
    (["apply", "--plan", "FILE", "--out", "FILE"], "--plan"),
    (["snapshot", "--policy", "FILE", "--out", "FILE"], "--policy"),
]


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    made = tmp_path / "FILE"
    made.write_text(KEPT, "utf-8")
    return made


@pytest.mark.parametrize(("arguments", "named"), COMMANDS)
def test_no_file_that_is_read_is_overwritten(
    arguments: list[str], named: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    assert f"would overwrite the file of {named}:" in capsys.readouterr().err
    assert file.read_text("utf-8") == KEPT


def test_a_link_is_the_file_that_it_leads_to(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("link").symlink_to(file)
    assert main(["plan", "--snapshot", "link", "--out", "FILE"]) == 1
    assert "would overwrite" in capsys.readouterr().err
    assert file.read_text("utf-8") == KEPT


def test_a_dash_is_not_made_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--snapshot", "x", "--out", "-"]) == 1
    assert "--out - is no file name here: ./- is one" in capsys.readouterr().err
    assert not (tmp_path / "-").exists()


def test_a_device_takes_everything(capsys: pytest.CaptureFixture[str]) -> None:
    main(["plan", "--snapshot", "x", "--out", "/dev/null", "--also", "json=/dev/null"])
    assert "overwrite" not in capsys.readouterr().err


def test_the_option_is_named_whose_file_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--snapshot", "x", "--also", "json=gone/x"]) == 1
    assert "--also json gone/x cannot be written: there is no folder gone" in capsys.readouterr().err
