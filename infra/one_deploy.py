"""One Deploy: sends a package to the SCM site of a Function App on Flex Consumption, and waits until it is in place.

The protocol is that of Microsoft's own clients: azd (cli/azd/pkg/azsdk/funcapp_host_client.go), the Azure CLI
(`enable_zip_deploy_flex`) and the GitHub action (`oneDeployFlex`). POST /api/publish answers 202 with the id of the
deployment. GET /api/deployments/ID answers 200 whatever happens to the deployment, and the body says what happened. 409
means that another deployment is under way. Some answers seen in the field are temporary: a worker that was recycled
(404, or «Kudu has been restarted», Azure/azure-cli issue 33184), a role assignment that has not taken effect yet
(BlobUploadFailedException, 403), and access restrictions that have not taken effect yet (403 with `x-ms-forbidden-ip`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from infra.rest import Answer, Client, Clock, UnreachableError

# The numbers in "status", with azd's names.
CANCELLED, PENDING, BUILDING, DEPLOYING, FAILED, SUCCESS, CONFLICT, PARTIAL = -1, 0, 1, 2, 3, 4, 5, 6
FORBIDDEN_ADDRESS = "x-ms-forbidden-ip"
_UNDER_WAY = (PENDING, BUILDING, DEPLOYING)
_ENDS = {CANCELLED: "was cancelled", FAILED: "failed", CONFLICT: "gave way to another", PARTIAL: "succeeded in part"}
_RESTARTED = "Kudu has been restarted"
_STORAGE = ("InaccessibleStorageException", "BlobUploadFailedException")
# Once a second, as azd does and the service's team recommends: the worker goes away soon after the deployment ends.
_POLL = 1.0
_PAUSE = 10.0
_GONE = 60
_TIMES = 3
_LINES = 20


class DeploymentError(Exception):
    """It is not known whether the package is in place. The message says what to do."""


@dataclass(frozen=True)
class _Excuse:
    """A reason not to give up yet, and the number of seconds for which it counts."""

    reason: str
    seconds: float


_BUSY = _Excuse("another deployment of this app is under way", float("inf"))
# New role assignments take effect within ten minutes.
_NO_ROLE_YET = _Excuse("the app's identity cannot write the package to its storage account yet (403)", 600)
_NO_ANSWER = _Excuse("the SCM site does not answer yet", 300)


@dataclass
class _Patience:
    """Runs out when one excuse lasts too long, or when everything together does."""

    clock: Clock
    say: Callable[[str], None]
    until: float
    _since: dict[_Excuse, float] = field(default_factory=dict)

    def wait(self, excuse: _Excuse, pause: float = _PAUSE) -> None:
        now = self.clock.now()
        if excuse not in self._since:
            self.say(f"waiting: {excuse.reason}")
        if now - self._since.setdefault(excuse, now) >= excuse.seconds:
            raise DeploymentError(f"Gave up after {excuse.seconds:.0f} seconds: {excuse.reason}.")
        self.sleep(pause, excuse.reason)

    def sleep(self, seconds: float, why: str) -> None:
        if self.clock.now() + seconds > self.until:
            raise DeploymentError(
                f"Gave up because the time is over: {why}. The portal's Deployment Center shows the rest."
            )
        self.clock.sleep(seconds)

    def took(self) -> None:
        """The site accepted a request, so earlier excuses no longer count."""
        self._since = {one: since for one, since in self._since.items() if one is _NO_ROLE_YET}


@dataclass(frozen=True)
class _End:
    """How a deployment ended. `cut_short`: the SCM site itself ended it, whatever the package is."""

    status: int
    text: str
    cut_short: bool = False


@dataclass(frozen=True)
class Site:
    """The SCM site at `url`. `seconds` is how long a deployment may take in all."""

    url: str
    client: Client
    clock: Clock
    say: Callable[[str], None]
    seconds: float

    def deploy(self, package: Path) -> None:
        """Raises `DeploymentError` and `NotSignedInError`."""
        patience = _Patience(self.clock, self.say, self.clock.now() + self.seconds)
        cut_short = 0
        while True:
            deployment = self._accepted(package, patience)
            self.say(f"deployment {deployment} was accepted")
            end = self._ended(deployment, patience)
            if end.status == SUCCESS:
                return
            cut_short += end.cut_short
            if _may_not_write(end.text):
                patience.wait(_NO_ROLE_YET, 3 * _PAUSE)
            elif not end.cut_short or cut_short == _TIMES:
                raise DeploymentError(self._told(deployment, end))
            else:
                self.say(f"the SCM site cut deployment {deployment} short: {end.text}; publishing again")

    def _accepted(self, package: Path, patience: _Patience) -> str:
        url = f"{self.url}/api/publish?RemoteBuild=false&Deployer=amlguard"
        while True:
            answer = self._asked(lambda: self._post(url, package))
            if answer and answer.status in {200, 202}:
                patience.took()
                deployment = answer.json()
                if not (isinstance(deployment, str) and deployment):
                    raise DeploymentError(f"The SCM site does not say what it accepted: {answer.text()[:200]!r}")
                return deployment
            patience.wait(_excuse(answer), answer.wait(_PAUSE) if answer else _PAUSE)

    def _post(self, url: str, package: Path) -> Answer:
        length = str(package.stat().st_size)
        headers = {"Content-Type": "application/zip", "Content-Length": length, "Cache-Control": "no-cache"}
        with package.open("rb") as file:
            return self.client.send("POST", url, file, headers, seconds=600)

    def _ended(self, deployment: str, patience: _Patience) -> _End:
        url, unknown = f"{self.url}/api/deployments/{deployment}", 0
        while True:
            answer = self._asked(lambda: self.client.send("GET", url))
            if answer and answer.status in {200, 202}:
                patience.took()
                unknown, end = 0, _end(answer)
                if end.status not in _UNDER_WAY:
                    return end
                patience.sleep(answer.wait(_POLL), f"deployment {deployment} is still under way ({end.text})")
            elif answer and answer.status == 404:
                unknown += 1
                if unknown > _GONE:
                    return _End(
                        FAILED, f"it was unknown for {_GONE} seconds; nobody can find out what became of it", True
                    )
                patience.sleep(_POLL, f"deployment {deployment} is not known")
            else:
                patience.wait(_excuse(answer), answer.wait(_PAUSE) if answer else _PAUSE)

    def _asked(self, ask: Callable[[], Answer]) -> Answer | None:
        try:
            return ask()
        except UnreachableError as error:
            self.say(str(error))
            return None

    def _told(self, deployment: str, end: _End) -> str:
        """Adds the last lines of the deployment's log, because the site soon deletes it."""
        answer = self._asked(lambda: self.client.send("GET", f"{self.url}/api/deployments/{deployment}/log"))
        listed = answer.json() if answer and answer.status == 200 else None
        lines = [str(one.get("message")) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        how = _ENDS.get(end.status, f"ended with status {end.status}")
        return "\n  ".join([f"Deployment {deployment} {how}: {end.text}", *lines[-_LINES:]])


def _end(answer: Answer) -> _End:
    body = answer.json()
    status = body.get("status") if isinstance(body, dict) else None
    if not isinstance(status, int):
        raise DeploymentError(f"The SCM site does not say how far the deployment is: {answer.text()[:200]!r}")
    said = dict.fromkeys(str(body.get(key) or "").strip() for key in ("status_text", "progress", "message"))
    text = "; ".join(filter(None, said)) or "no reason is given"
    return _End(status, text, status == CONFLICT or _RESTARTED in text)


def _may_not_write(text: str) -> bool:
    return "403" in text and any(name in text for name in _STORAGE)


def _excuse(answer: Answer | None) -> _Excuse:
    """Raises `DeploymentError` if waiting would not help."""
    if answer is None or answer.status in {404, 429, 500, 502, 503, 504}:
        return _NO_ANSWER
    if answer.status == 409:
        return _BUSY
    if _may_not_write(answer.text()):
        return _NO_ROLE_YET
    address = answer.headers.get(FORBIDDEN_ADDRESS)
    if answer.status == 403 and address:
        return _Excuse(f"the SCM site is closed to {address}", 120)
    if answer.status in {401, 403}:
        raise DeploymentError(
            f"The SCM site refuses you ({answer.status}). Does `az account show` name the right account? You need the "
            "right Microsoft.Web/sites/publish/Action on the app, which Website Contributor has."
        )
    raise DeploymentError(f"The SCM site refuses the package ({answer.status}): {answer.text()[:500]}")
