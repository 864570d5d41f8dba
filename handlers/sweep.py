"""The timer: amlguard looks at every workspace, whether or not its events arrived (law 1).

The timer only puts the sweep on the queue, which finds the workspaces and cuts them into shards. Each shard is a
message of its own. A shard is evaluated with what Resource Graph knows. Whatever does not look right is reconciled
through ARM.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import batched, zip_longest

from handlers.look import PER_MESSAGE, failures, look_now, pause_after, said_of, watched
from handlers.runtime import Runtime
from shared.access.actions import Plan
from shared.access.asks import Finding, Severity
from shared.access.scope import Scope
from shared.access.users import is_container
from shared.audit_rows import FINDINGS, Phase, Run, finding
from shared.messages import Reconcile, Shard, Sweep, Trigger, encode
from shared.pace import in_the_background
from shared.ports import AzureFailureError, ReadFailedError
from shared.progress import Result
from shared.reading import from_resource_graph
from shared.reading.shared_lists import SharedLists
from shared.scopes import Chosen
from shared.state.open_runs import OpenRuns
from shared.state.sweep_documents import Tally
from shared.state.sweep_progress import Shards, new_sweep, shard_number

_log = logging.getLogger("amlguard")

# A shard takes two queries of Resource Graph, which allows three a second. Each gives one page for so many workspaces.
PER_SHARD = 50
# With fewer workspaces in a subscription Resource Graph saves nothing, and hundreds of small subscriptions would wait.
_WORTH_A_QUERY = 3
# Half of the time that the host allows. What is left then goes into a message of its own.
_SECONDS = 300.0
_AT_ONCE = 10
POISON = "poison-work"
# Eight minutes in all, but together with the tries, each of which may take a third of one, less than `functionTimeout`.
_PAUSES = (1.0, 5.0, 15.0, 40.0, 60.0, 60.0, 60.0, 60.0, 60.0, 60.0, 60.0)
_MOST_SECONDS = 520.0


async def handle(services: Runtime) -> None:
    """Leaves all of it to the queue, which tries again if something fails. The timer would not, for six hours.

    So putting this one message on the queue is tried for as long as the host allows. Two messages of one sweep do no
    more than one.
    """
    if services.queue is None:
        raise AzureFailureError("sweep", "NoQueue", "no work queue is configured")
    message = encode(Sweep(id=new_sweep(services.azure.now()) if services.sweeps else ""))
    clock = asyncio.get_running_loop().time
    until = clock() + _MOST_SECONDS
    for pause in _PAUSES:
        if clock() + pause > until:
            break
        try:
            await services.queue.put(message, timedelta())
        except AzureFailureError as error:
            _log.warning("the sweep cannot be put on the queue yet: %s", error)
            await services.note(error)
            await services.pause(pause)
        else:
            return
    await services.queue.put(message, timedelta())


async def find(services: Runtime, sweep: str) -> None:
    """Finds the workspaces and puts them on the queue in shards. Raises `AzureFailureError`."""
    if services.queue is None:
        raise AzureFailureError("sweep", "NoQueue", "no work queue is configured")
    sweeps = services.sweeps if sweep else None
    if sweeps:
        await _record_abandoned(await sweeps.abandoned(sweep, services.azure.now()), services)
    if sweeps and not await sweeps.begin(sweep, services.azure.now(), str(services.terms.mode)):
        _log.info("sweep %s is left out: it has ended, or another one is under way", sweep)
        return
    chosen = await services.scopes.choose(services.terms.scopes)
    missed = _missed(chosen)
    await services.reconciler.journal.rows(FINDINGS, [finding(Run(services.terms.mode), one) for one in missed])
    found: dict[str, list[str]] = {}
    for workspace in chosen.workspaces:
        found.setdefault(str(workspace.subscription).casefold(), []).append(str(workspace))
    shards: Shards = list(_shards(list(found.values())))
    if sweeps:
        shards = await sweeps.shards(sweep, shards)
    for number, some in enumerate(shards):
        await services.queue.put(encode(Shard(sweep, shard_number(number), some)), timedelta())
    workspaces = sum(map(len, shards))
    if sweeps:
        await sweeps.found(sweep, workspaces, len(shards), services.azure.now(), whole=not missed)
    await _lead_to_what_is_open(services)
    _log.info("sweep %s: %d workspaces in %d shards put on the queue", sweep, workspaces, len(shards))


async def _record_abandoned(shards: Shards | None, services: Runtime) -> None:
    """Records that work of an earlier sweep was given up and could not say so, because each of its tries was killed."""
    if shards is None:
        return
    count = Counter(Scope.parse(some[0]).subscription or Scope.parse("/") for some in shards if some)
    lost = [(at, f"{number} of its shards were") for at, number in count.items()]
    found = [
        Finding(
            at,
            POISON,
            (),
            Severity.HIGH,
            f"A sweep was given up, because {what} not done for too long: the process of each try ended, or the "
            "message is gone or waits.",
            "Look for workers that were ended (memory, the function's time limit), and at the poison queue. This sweep "
            "looks at the same workspaces.",
        )
        for at, what in lost or [(Scope.parse("/"), "the search for its workspaces was")]
    ]
    await services.reconciler.journal.rows(FINDINGS, [finding(Run(services.terms.mode), one) for one in found])


async def _lead_to_what_is_open(services: Runtime) -> None:
    """Puts what earlier runs left open on the queue. What only the log shows becomes a document first."""
    if services.queue is None or services.store is None:
        return
    try:
        for one in await services.leftovers.all():
            if one.kept is None:
                await OpenRuns(services.store).begin(one.run)
            if one.run.is_ripe(services.azure.now()):
                some = sorted(map(str, one.workspaces))[:PER_MESSAGE]  # the sweep looks at all of them
                message = Reconcile(tuple(some), run=one.run.run)
                await services.queue.put(encode(message), timedelta())
    except AzureFailureError as error:
        _log.warning("what earlier runs left open waits for the next sweep: %s", error)


def _missed(chosen: Chosen) -> list[Finding]:
    """Findings: what the sweep should look at and cannot look at, and that there is nothing to look at."""
    found = [
        Finding(
            error.scope,
            "policy-scope",
            (),
            Severity.HIGH,
            f"The policy's scopes name {error.scope}, which amlguard cannot look at: {error.reason}.",
            "Correct the policy's scopes, or give amlguard's identity the right; until then the sweep leaves it out.",
            lacks_right=error.lacks_right,
        )
        for error in chosen.wrong
    ]
    if not chosen.workspaces:
        one = Finding(
            chosen.idle[0] if chosen.idle else Scope.parse("/"),
            "nothing-looked-at",
            (),
            Severity.HIGH,
            "The sweep found no workspace to look at.",
            "Check the policy's scopes and the subscriptions in which amlguard's identity is Reader.",
        )
        found.append(one)
    return found


def _shards(found: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Subscriptions alternate, because each has a limit of its own. So instances work on several of them at once."""
    for turn in zip_longest(*(batched(each, PER_SHARD, strict=False) for each in found)):
        yield from filter(None, turn)


async def look_over(work: Shard, services: Runtime) -> None:
    """Raises `AzureFailureError`. Then this shard alone comes again."""
    now = services.azure.now()
    if services.sweeps and work.sweep and await services.sweeps.is_done(work.sweep, work.number, now):
        return
    with in_the_background():
        tally = await _look_over(work, services)
    if services.sweeps and work.sweep:
        await services.sweeps.done(work.sweep, work.number, tally, services.azure.now())


async def _look_over(work: Shard, services: Runtime) -> Tally:
    scopes = await watched(map(Scope.parse, work.workspaces), services)
    # Resource Graph returns whole resource groups, and some of their workspaces may not belong to the shard.
    services = replace(services, azure=SharedLists(services.azure))
    queried = len(scopes) >= _WORTH_A_QUERY and all(map(is_container, services.terms.scopes))
    known = await from_resource_graph.ResourceGraphReads.read(scopes, services.azure) if queried else None
    run, until, slots = Run(services.terms.mode), time.monotonic() + _SECONDS, asyncio.Semaphore(_AT_ONCE)

    async def one(scope: Scope) -> Plan | Result:
        async with slots:
            if time.monotonic() > until:
                raise TimeoutError
            now = await services.current()  # a shard takes minutes
            if now.terms is not services.terms and not await watched([scope], now):
                return Plan()
            made = await now.reconciler.evaluate(scope, known) if known else None
            return made if made is not None else (await look_now([scope], now, Trigger(), tells=not work.sweep))[0]

    answers = await asyncio.gather(*map(one, scopes), return_exceptions=True)
    failed = failures(scopes, answers)
    if len(failed) == len(scopes) > 1 and all(isinstance(answer, ReadFailedError) for answer in answers):
        raise ReadFailedError("sweep", "ShardFailed", "no workspace of the shard could be read")
    findings = [finding(run, one) for answer in answers if isinstance(answer, Plan) for one in answer.findings]
    await services.reconciler.journal.rows(FINDINGS, findings)
    for scope, answer in failed:
        _log.warning("%s: %s; it is looked at again alone", scope, said_of(answer))
        if services.queue:
            await services.queue.put(encode(Reconcile((str(scope),))), pause_after(answer))
    results = [answer for answer in answers if isinstance(answer, Result)]
    applied = sum(outcome.phase is Phase.APPLIED for each in results for outcome in each.outcomes)
    reported = sum(len(each.plan.findings) for each in results)
    late = sum(isinstance(answer, TimeoutError) for answer in answers)
    said = dict(services.teller.digests(results)) if services.teller and work.sweep else {}
    return Tally(len(scopes), len(failed) - late, applied, len(findings) + reported, told=said)


async def give_up(work: Sweep | Shard, services: Runtime) -> None:
    """The sweep ends as Incomplete: without the shard, or at once."""
    match work:
        case Shard(sweep=sweep) if services.sweeps and sweep:
            missed = Tally(len(work.workspaces), len(work.workspaces))
            await services.sweeps.done(sweep, work.number, missed, services.azure.now())
        case Sweep(id=sweep) if services.sweeps and sweep:
            await services.sweeps.lost(sweep, services.azure.now())
