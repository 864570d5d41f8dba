"""`make check` notices Bicep that is wrong, says where, and fails."""

from pathlib import Path

import pytest

from infra.check import INFRA, main

STORAGE = (INFRA / "modules" / "storage.bicep").read_text("utf-8")


def _checked(folder: Path, bicep: str) -> int:
    (folder / "storage.bicep").write_text(bicep, "utf-8")
    return main([str(folder)])


def test_what_is_right_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (_checked(tmp_path, STORAGE), capsys.readouterr().err) == (0, "")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("minimumTlsVersion: 'TLS1_2'", "minimumTlsVersion: 'TLS1_0'", "storage.bicep: CKV_AZURE_44 "),
        ("  properties: {\n", "  properties: {{\n", "storage.bicep: Unexpected token"),
    ],
    ids=["insecure", "no Bicep"],
)
def test_bad_bicep_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, said: str
) -> None:
    assert before in STORAGE
    assert _checked(tmp_path, STORAGE.replace(before, after, 1)) == 1
    assert said in capsys.readouterr().err
