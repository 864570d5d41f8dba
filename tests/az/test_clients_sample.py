"""A short sample of `make clients`: the Azure CLI signs in at the local Azure and sees what is there."""

import pytest

from clients import cli
from clients.local import CLIENTS, running
from clients.results import Results

_MOST = 14


@pytest.mark.skipif(not CLIENTS.exists(), reason="the Azure CLI is not there: `make test` sets it up")
def test_the_azure_cli_signs_in_and_makes_a_group(capsys: pytest.CaptureFixture[str]) -> None:
    with running() as local:
        results = cli.carry_out(local, Results("az"), _MOST)
    assert (results.worked, results.surprises) == (results.asked, 0), capsys.readouterr().out
    assert results.asked == _MOST - 2
