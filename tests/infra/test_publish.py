"""`python -m infra.publish` against an SCM site that answers as One Deploy was seen to answer."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from deployed_site import ACCEPTED, APP, BROKEN, OWN, SUCCEEDED, TOKEN, Azure, Reply, served, status

from infra.check import ROOT
from infra.publish import main
from infra.rest import Client, Clock, NotSignedInError, UnreachableError, signed_in

PACKAGE = b"PK\x05\x06" + bytes(18)
RESTART = "[KuduSpecializer] Kudu has been restarted after package deployed. Kudu Restart Count: 1."
NO_ROLE = (
    "InaccessibleStorageException: Failed to access storage account for deployment: BlobUploadFailedException: "
    "Failed to upload blob to storage account: Response status code does not indicate success: 403"
)
FOREIGN = {"name": "build-agents", "action": "Allow", "priority": 200, "ipAddress": "198.51.100.0/24"}

type Publish = Callable[..., int]


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    azure = Azure()
    with served(azure, tmp_path) as authority:
        monkeypatch.setenv("SSL_CERT_FILE", authority)
        yield azure


@pytest.fixture
def publish(azure: Azure, tmp_path: Path) -> Publish:
    package = tmp_path / "amlguard.zip"
    package.write_bytes(PACKAGE)

    def run(*more: str, app: str = APP, token: str = TOKEN) -> int:
        clock = Clock(azure.now, azure.sleep)
        return main([app, "--package", str(package), "--arm", azure.url, *more], Client(lambda: token, clock), clock)

    return run


def test_the_package_arrives_as_it_is_and_is_not_built_there(azure: Azure, publish: Publish) -> None:
    azure.polls = [status(0), status(1), status(2), SUCCEEDED]
    assert publish() == 0
    assert azure.packages == [PACKAGE]
    assert azure.publish_headers["Content-Type"] == "application/zip"
    assert ("POST", "/api/publish?RemoteBuild=false&Deployer=amlguard") in azure.requests
    assert azure.asked("GET", "/api/deployments/dep-1") == 4
    assert azure.asked("PATCH", "") == 0


def test_it_waits_at_the_scm_site_and_arm_and_never_asks_the_app(azure: Azure, publish: Publish) -> None:
    azure.functions = [Reply(200, {"value": []}), Reply(200, {"value": [{"name": "func/resource_changed"}]})]
    assert publish() == 0
    assert {path.partition("?")[0] for _, path in azure.requests} == {
        APP,
        f"{APP}/functions",
        "/api/deployments",
        "/api/publish",
        "/api/deployments/dep-1",
    }


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (status(-1, status_text="by somebody"), "was cancelled: by somebody"),
        (status(3, status_text="the zip is broken"), "failed: the zip is broken"),
        (status(6, status_text="triggers were not synced"), "succeeded in part: triggers were not synced"),
        (status(9), "ended with status 9"),
        (Reply(200, {"id": "dep-1"}), "does not say how far"),
        (Reply(200, b"<html>"), "does not say how far"),
    ],
    ids=["cancelled", "failed", "in part", "a status to come", "no status", "no JSON"],
)
def test_a_deployment_that_does_not_succeed_is_an_error(
    azure: Azure, publish: Publish, capsys: pytest.CaptureFixture[str], end: Reply, said: str
) -> None:
    azure.polls, azure.log = [status(1), end], Reply(200, [{"message": "extracting"}, {"message": "the last line"}])
    assert publish() == 1
    told = capsys.readouterr().err
    assert said in told
    assert ("the last line" in told) == (end.body is not None and "status" in str(end.body))
    assert len(azure.packages) == 1


@pytest.mark.parametrize(
    "cut_short",
    [
        [status(3, progress=RESTART)],
        [status(6, status_text=RESTART)],
        [status(5, status_text="another one came first")],
        [status(1), *[Reply(404)] * 61],
    ],
    ids=["restarted, failed", "restarted, in part", "gave way", "forgotten"],
)
def test_what_the_site_cut_short_is_published_again(azure: Azure, publish: Publish, cut_short: Sequence[Reply]) -> None:
    azure.polls = [*cut_short, status(1), SUCCEEDED]
    assert publish() == 0
    assert azure.packages == [PACKAGE, PACKAGE]


def test_but_not_for_ever(azure: Azure, publish: Publish, capsys: pytest.CaptureFixture[str]) -> None:
    azure.polls = [status(6, status_text=RESTART)]
    assert publish() == 1
    assert "succeeded in part" in capsys.readouterr().err
    assert len(azure.packages) == 3


@pytest.mark.parametrize(
    ("before", "waits"),
    [
        ([Reply(409)] * 3, 30),
        ([Reply(503, None, {"Retry-After": "7"}), Reply(502)], 17),
        ([BROKEN, Reply(404)], 20),
        ([Reply(400, {"Message": NO_ROLE})] * 2, 20),
    ],
    ids=["another deployment", "overloaded", "not there yet", "role not there yet"],
)
def test_what_passes_by_itself_is_waited_for(
    azure: Azure, publish: Publish, before: Sequence[Reply], waits: float
) -> None:
    azure.publishes = [*before, ACCEPTED]
    assert publish() == 0
    assert sum(azure.slept) == waits


@pytest.mark.parametrize(
    ("polls", "packages"),
    [
        ([Reply(404), Reply(404), status(1), SUCCEEDED], 1),
        ([status(1), BROKEN, Reply(503), SUCCEEDED], 1),
        ([status(3, status_text=NO_ROLE), SUCCEEDED], 2),
    ],
    ids=["not alive yet", "broken off", "role not there yet"],
)
def test_so_it_is_while_polling(azure: Azure, publish: Publish, polls: Sequence[Reply], packages: int) -> None:
    azure.polls = [*polls]
    assert publish() == 0
    assert len(azure.packages) == packages


@pytest.mark.parametrize(
    ("reply", "said", "most"),
    [
        (Reply(409), "another deployment of this app is under way", 1200),
        (Reply(503), "does not answer", 310),
        (BROKEN, "does not answer", 310),
        (Reply(400, {"Message": NO_ROLE}), "cannot write the package", 610),
    ],
    ids=["409", "503", "broken", "no role"],
)
def test_what_does_not_pass_ends_in_time(
    azure: Azure, publish: Publish, capsys: pytest.CaptureFixture[str], reply: Reply, said: str, most: float
) -> None:
    azure.publishes = [reply]
    assert publish() == 1
    assert said in capsys.readouterr().err
    assert azure.time <= most


def test_a_deployment_that_never_ends_is_given_up(
    azure: Azure, publish: Publish, capsys: pytest.CaptureFixture[str]
) -> None:
    azure.polls = [status(2, status_text="deploying")]
    assert publish("--timeout", "90") == 1
    assert "still under way (deploying)" in capsys.readouterr().err
    assert azure.time <= 90


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(401), "Microsoft.Web/sites/publish/Action"),
        (Reply(403, "no right"), "Microsoft.Web/sites/publish/Action"),
        (Reply(400, {"Message": "not a zip"}), "not a zip"),
        (Reply(302, None, {"Location": "https://elsewhere.invalid"}), "refuses the package (302)"),
        (Reply(202, ""), "does not say what it accepted"),
        (Reply(202, b"not json"), "does not say what it accepted"),
    ],
    ids=["401", "403", "400", "302", "no id", "no JSON"],
)
def test_what_waiting_does_not_help_ends_at_once(
    azure: Azure, publish: Publish, capsys: pytest.CaptureFixture[str], reply: Reply, said: str
) -> None:
    azure.publishes = [reply]
    assert publish() == 1
    told = capsys.readouterr()
    assert said in told.err
    assert TOKEN not in told.err + told.out
    assert azure.slept == []


def test_who_may_not_read_the_app_is_told(publish: Publish, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish(token="another") == 1
    assert "cannot be read (401)" in capsys.readouterr().err


@pytest.mark.parametrize("app", ["func", "/subscriptions/x/resourceGroups/y/providers/Microsoft.Web/sites/a/b", ""])
def test_what_is_no_app_is_said_with_an_example(
    azure: Azure, publish: Publish, capsys: pytest.CaptureFixture[str], app: str
) -> None:
    assert publish(app=app) == 1
    assert "/subscriptions/GUID/resourceGroups/" in capsys.readouterr().err
    assert azure.requests == []


def test_without_a_package_nothing_is_asked(
    azure: Azure, publish: Publish, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "amlguard.zip").unlink()
    assert publish() == 1
    assert "make package" in capsys.readouterr().err
    assert azure.requests == []


def test_an_app_that_does_not_index_the_function_is_an_error(
    azure: Azure, publish: Publish, capsys: pytest.CaptureFixture[str]
) -> None:
    """As without an extension bundle: the deployment succeeds, and only the timer is there."""
    azure.functions = [Reply(200, {"value": [{"name": "func/sweep"}]})]
    assert publish() == 1
    assert "no function resource_changed (it has: sweep)" in capsys.readouterr().err


def test_what_arm_cannot_tell_is_said_and_is_no_error(
    azure: Azure, publish: Publish, capsys: pytest.CaptureFixture[str]
) -> None:
    azure.functions = [Reply(503, "host runtime")]
    assert publish() == 0
    assert "ARM cannot tell" in capsys.readouterr().out


# The closed site.


@pytest.fixture
def closed(azure: Azure) -> Azure:
    azure.closed, azure.rules, azure.rules_act_after = True, [FOREIGN], 40
    return azure


def _let_in(azure: Azure) -> list[str]:
    return [rule["ipAddress"] for rule in azure.rules if rule != FOREIGN]


@pytest.mark.parametrize(
    ("more", "wanted"), [((), [f"{OWN}/32"]), (("--address", "203.0.113.0/24"), ["203.0.113.0/24"])]
)
def test_a_closed_site_is_opened_to_the_deployer_and_closed_again(
    closed: Azure, publish: Publish, more: Sequence[str], wanted: Sequence[str]
) -> None:
    during: list[list[str]] = []
    closed.when_polled = lambda: during.append(_let_in(closed))
    assert publish(*more) == 0
    assert during == [wanted]
    assert closed.rules == [FOREIGN]


@pytest.mark.parametrize("end", [status(3), Reply(401)], ids=["failed", "refused"])
def test_it_is_closed_after_a_failure(closed: Azure, publish: Publish, end: Reply) -> None:
    closed.polls = [status(1), end]
    assert publish() == 1
    assert closed.packages == [PACKAGE]
    assert closed.rules == [FOREIGN]


def test_a_deployer_with_two_addresses_gets_in_with_both(closed: Azure, publish: Publish) -> None:
    closed.rules_act_after = 0
    closed.seen_as = [OWN, "203.0.113.9", OWN, "203.0.113.9"]
    assert publish() == 0
    assert closed.rules == [FOREIGN]


def test_a_deployer_with_many_addresses_is_told_to_name_them(
    closed: Azure, publish: Publish, capsys: pytest.CaptureFixture[str]
) -> None:
    closed.seen_as = [f"203.0.113.{n}" for n in range(50)]
    assert publish() == 1
    assert "--address CIDR" in capsys.readouterr().err
    assert closed.packages == []
    assert closed.rules == [FOREIGN]


@pytest.mark.parametrize("seen", ["[2001:db8::7]", "2001:db8::7"])
def test_an_address_of_version_6(closed: Azure, publish: Publish, seen: str) -> None:
    closed.seen_as = [seen.strip("[]")]
    during: list[list[str]] = []
    closed.when_polled = lambda: during.append(_let_in(closed))
    assert publish("--address", seen) == 0
    assert during == [["2001:db8::7/128"]]


def test_what_is_no_address_is_not_let_in(closed: Azure, publish: Publish, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish("--address", "everybody") == 1
    assert "'everybody' is not an address" in capsys.readouterr().err
    assert closed.asked("PATCH", "") == 0


def test_whoever_gets_in_anyway_opens_nothing(closed: Azure, publish: Publish) -> None:
    closed.seen_as, closed.rules_act_after = ["198.51.100.4"], 0
    closed._acting.append((0, [FOREIGN]))
    assert publish() == 0
    assert closed.asked("PATCH", "") == 0


def test_without_the_right_to_open_it_nothing_is_deployed(
    closed: Azure, publish: Publish, capsys: pytest.CaptureFixture[str]
) -> None:
    closed.patches = [Reply(403, {"error": {"code": "AuthorizationFailed"}})]
    assert publish() == 1
    assert "Microsoft.Web/sites/config/write" in capsys.readouterr().err
    assert closed.packages == []


def test_closing_is_tried_again(closed: Azure, publish: Publish) -> None:
    closed.patches = [Reply(200, {}), Reply(429), Reply(500), Reply(200, {})]
    assert publish() == 0
    assert closed.rules == [FOREIGN]


def test_a_site_that_stays_open_is_an_error_that_does_not_hide_the_other(
    closed: Azure, publish: Publish, capsys: pytest.CaptureFixture[str]
) -> None:
    closed.patches, closed.polls = [Reply(200, {}), Reply(500)], [status(3, status_text="the zip is broken")]
    assert publish() == 1
    told = capsys.readouterr().err
    assert "the zip is broken" in told
    assert "may still be open" in told
    closed.patches = [Reply(200, {})]
    assert publish("--close") == 0
    assert closed.rules == [FOREIGN]


def test_close_alone_needs_no_package_and_deploys_nothing(closed: Azure, publish: Publish, tmp_path: Path) -> None:
    (tmp_path / "amlguard.zip").unlink()
    assert publish("--close") == 0
    assert closed.packages == []
    assert closed.rules == [FOREIGN]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_is_closed_when_the_deployer_is_stopped(closed: Azure, tmp_path: Path, number: int) -> None:
    """In a process of its own, signed in with an Azure CLI that is a script here."""
    closed.rules_act_after, closed.polls = 0, [status(1)]
    (tmp_path / "amlguard.zip").write_bytes(PACKAGE)
    command = [sys.executable, "-m", "infra.publish", APP, "--arm", closed.url]
    command += ["--package", str(tmp_path / "amlguard.zip")]
    path = _signed_in(tmp_path, az=f'{{"accessToken": "{TOKEN}"}}')
    env = {**os.environ, "PATH": path}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        told = []
        for line in process.stdout:
            told.append(line)
            if "was accepted" in line:
                assert _let_in(closed) == [f"{OWN}/32"]
                process.send_signal(number)
        assert process.wait(30) == 128 + number, "".join(told)
    assert closed.rules == [FOREIGN]


# Who is signed in.


def _signed_in(folder: Path, **tools: str) -> str:
    """A PATH with these tools; each prints its text, or fails without one. az knows one subscription."""
    for name, text in tools.items():
        tool = folder / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        knows = '[ "${4#11111111}" != "$4" ] && ' if name == "az" else ""
        tool.write_text(f"#!/bin/sh\n{knows}[ -n '{text}' ] && echo '{text}'\n")
        tool.chmod(0o755)
    return f"{folder / 'bin'}"


@pytest.mark.skipif(sys.platform == "win32", reason="the tools are shell scripts")
@pytest.mark.parametrize(
    ("tools", "token"),
    [
        ({"az": '{"accessToken": "a"}', "azd": '{"token": "b"}'}, "a"),
        ({"az": "", "azd": '{"token": "b"}'}, "b"),
        ({"azd": '{"token": "b"}'}, "b"),
    ],
    ids=["both", "azd alone is signed in", "azd alone is there"],
)
def test_the_token_is_of_whoever_is_signed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tools: dict[str, str], token: str
) -> None:
    monkeypatch.setenv("PATH", _signed_in(tmp_path, **tools))
    assert signed_in("11111111-1111-4111-8111-111111111111")() == token


@pytest.mark.skipif(sys.platform == "win32", reason="the tools are shell scripts")
def test_an_account_that_does_not_know_the_subscription_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", _signed_in(tmp_path, az='{"accessToken": "a"}', azd='{"token": "b"}'))
    assert signed_in("22222222-2222-4222-8222-222222222222")() == "b"


@pytest.mark.parametrize("tools", [{}, {"az": ""}, {"az": "", "azd": ""}], ids=["no tool", "az", "both"])
def test_whoever_is_not_signed_in_is_told_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tools: dict[str, str]
) -> None:
    monkeypatch.setenv("PATH", _signed_in(tmp_path, **tools))
    with pytest.raises(NotSignedInError, match="az login"):
        signed_in("11111111-1111-4111-8111-111111111111")()


def test_a_token_is_fetched_anew_before_it_lapses(azure: Azure) -> None:
    tokens = iter(["first", "second"])
    client = Client(lambda: next(tokens), Clock(azure.now, azure.sleep))
    azure.publishes = [Reply(200)]
    seen = []
    for seconds in (0, 200, 100):
        azure.time += seconds
        client.send("GET", f"{azure.url}{APP}")
        seen.append(client._kept)
    assert [one and one[1] for one in seen] == ["first", "first", "second"]


def test_a_token_goes_nowhere_without_tls() -> None:
    with pytest.raises(UnreachableError, match="not an https address"):
        Client(lambda: TOKEN).send("GET", "http://127.0.0.1:1/")
