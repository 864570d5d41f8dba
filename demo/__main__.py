"""`python -m demo`: plays the whole story on the local Azure, tells it and checks it. Exits 0 if all is well."""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from demo import play
from demo.audit import AuditUnreadableError
from demo.local_azure import NotStartedError, Ready, last_words, local_azure
from demo.people import RefusedError
from demo.screen import Screen

_MOST_SECONDS = 150


def main() -> int:
    options = _options()
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a text stream, whatever typeshed allows for
    screen = Screen(plain=options.plain)
    try:
        with tempfile.TemporaryDirectory(prefix="amlguard-demo-", ignore_cleanup_errors=True) as directory:
            return asyncio.run(_run(screen, Path(directory), keep=options.keep))
    except asyncio.CancelledError:
        return 130
    except TimeoutError:
        print(f"amlguard demo: not done after {_MOST_SECONDS} s", file=sys.stderr)
    except (NotStartedError, RefusedError, AuditUnreadableError) as error:
        print(f"amlguard demo: {error}", file=sys.stderr)
    return 1


async def _run(screen: Screen, directory: Path, *, keep: bool) -> int:
    _cancel_when_told()
    started = time.monotonic()
    screen.line("Starting a local Azure …", "dim")
    async with asyncio.timeout(_MOST_SECONDS) as limit, local_azure(directory) as ready:
        os.environ.update(ready.env)
        right = await play.play(screen, ready, started)
        if not right:
            screen.line(f"The local Azure's last words:\n{last_words(directory) or '(none)'}", "dim")
        if keep:
            limit.reschedule(None)
            await _keep(screen, ready, directory)
    return 0 if right else 1


def _cancel_when_told() -> None:
    """Ctrl-C and SIGTERM end the demo in order, and the local Azure with it. A second signal changes nothing."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def cancel() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: None)
        if task:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, cancel)


async def _keep(screen: Screen, ready: Ready, directory: Path) -> None:
    file = directory / "env.sh"
    environment = {**ready.env, "OPERATOR_TOKEN": ready.operator_token}
    file.write_text("".join(f"export {name}='{value}'\n" for name, value in environment.items()), encoding="utf-8")
    screen.line()
    screen.line("The local Azure keeps running until Ctrl-C. In another terminal:", "bold")
    screen.line(f"  . {file}")
    screen.line("  .venv/bin/amlguard plan                   # as the app's identity, on what the story left behind")
    screen.line('  curl --cacert "$SSL_CERT_FILE" -H "Authorization: Bearer $OPERATOR_TOKEN" \\')
    screen.line('    "$AMLGUARD_ARM_ENDPOINT/_local/events"   # what Event Grid delivered; any ARM call works as well')
    with suppress(asyncio.CancelledError):  # the intended end: the checks decide on the exit code
        await asyncio.Event().wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description="Plays amlguard's story on a local Azure.")
    parser.add_argument("--plain", action="store_true", help="print plain lines, as without a terminal")
    parser.add_argument("--keep", action="store_true", help="leave the local Azure running at the end, until Ctrl-C")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
