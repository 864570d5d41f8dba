"""The event path: one Event Grid delivery about a compute, until the grant that it leads to."""

import asyncio
import ssl
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched

import aiohttp
import requests

from bench.asked import Request, depth
from bench.figure import Figure
from bench.swept_azure import SweptAzure, swept_azure
from bench.tenant import first_compute, tenant, workspaces

_WARM_UP = 5
# So many that no subscription's token bucket runs empty: waiting for it is not a cost of the app.
_A_SUBSCRIPTION = 5
_TIMED = 15
_WEIGHED = 100
_ROUNDS = 5
_AT_ONCE = 8
_BURST = 200
# Far above what the app needs between two requests, so that no two parallel requests count as one after the other.
_DEPTH_LATENCY_MS = 250
_LATENCY_MS = 50


def event_path() -> list[Figure]:
    return [*_with_latency(), *_without_latency()]


def _with_latency() -> list[Figure]:
    deep = [depth(_until_grant(asked)) for _, asked in _granting(_DEPTH_LATENCY_MS, _TIMED)]
    round_trips = statistics.median(deep)
    cold, *walls = [_wall(started, asked) for started, asked in _granting(_LATENCY_MS, _TIMED, cold=True)]
    warm = statistics.median(walls[_WARM_UP - 1 :])
    ratio = warm * 1000 / (round_trips * _LATENCY_MS)
    return [
        Figure("event_round_trips", round_trips, "ARM and log requests one after another, until the grant's PUT", 4),
        Figure("event_wall_ratio", ratio, f"wall until the grant / (round trips × latency), at {_LATENCY_MS} ms", 1.25),
        Figure(
            "event_cold_ms",
            cold * 1000,
            "wall until the grant, of the first event of an instance; peer: of a warm one",
            peer=warm * 1000,
        ),
    ]


def _granting(latency_ms: int, events: int, *, cold: bool = False) -> list[tuple[float, list[Request]]]:
    """When each event was delivered, and which requests it caused. With `cold`, those that warmed up are included."""
    count = _WARM_UP + events
    subscriptions = count // _A_SUBSCRIPTION
    with swept_azure(tenant(count, subscriptions, lacking=count), latency_ms=latency_ms, live=True) as azure:
        measured = []
        for workspace in workspaces(count, subscriptions):
            azure.forget()
            started = time.time()
            azure.deliver(first_compute(workspace))
            measured.append((started, azure.asked()))
    return measured if cold else measured[_WARM_UP:]


def _until_grant(asked: Sequence[Request]) -> list[Request]:
    grant = next(one for one in asked if one.grants)
    return [one for one in asked if one.end <= grant.end]


def _wall(started: float, asked: Sequence[Request]) -> float:
    """Seconds from the delivery to the answer to the grant. The lean Azure uses this machine's clock."""
    return next(one for one in asked if one.grants).end - started


def _without_latency() -> list[Figure]:
    count = _WARM_UP + _WEIGHED
    subscriptions = count // _A_SUBSCRIPTION
    with swept_azure(tenant(count, subscriptions, lacking=count), throttle=False, live=True) as azure:
        names = workspaces(count, subscriptions)
        for workspace in names[:_WARM_UP]:
            azure.deliver(first_compute(workspace))
        weighed = names[_WARM_UP:]
        azure.forget()
        granting = _cpu_ms(azure, weighed)
        asked_granting = len(azure.asked()) / len(weighed)
        azure.forget()
        idle = _cpu_ms(azure, weighed)
        asked_idle = len(azure.asked()) / len(weighed)
        floor = _floor_ms(azure, round(asked_idle))
        rate = _events_per_second(azure, weighed)
    return [
        Figure(
            "event_cpu_ms",
            idle,
            "CPU of a warm event that finds nothing to do; peer: its requests by aiohttp alone",
            10,
            floor,
        ),
        Figure("event_cpu_ms_grant", granting, "CPU of a warm event that leads to a grant", 10),
        Figure("event_requests", asked_idle, "ARM requests of an event that finds nothing to do", 9),
        Figure("event_requests_grant", asked_granting, "ARM and log requests of an event that leads to a grant"),
        Figure("events_per_second", rate, f"one worker, {_AT_ONCE} deliveries at a time, no latency", peer=1000 / idle),
    ]


def _cpu_ms(azure: SweptAzure, names: Sequence[str]) -> float:
    """Milliseconds for one event and everything that follows from it. The best round counts.

    For example, the app also hears of its own grants.
    """
    rounds = []
    for batch in batched(names, len(names) // _ROUNDS, strict=True):
        before = azure.weigh().app
        for workspace in batch:
            azure.deliver(first_compute(workspace))
        time.sleep(0.5)
        rounds.append((azure.weigh().app - before) * 1000 / len(batch))
    return min(rounds)


def _floor_ms(azure: SweptAzure, requests_each: int) -> float:
    """The same requests by aiohttp alone, all at once. Answers are read and dropped. The best round."""
    return min(asyncio.run(_bare_cpu_seconds(azure, requests_each, _WEIGHED // _ROUNDS)) for _ in range(_ROUNDS)) * 1000


async def _bare_cpu_seconds(azure: SweptAzure, at_once: int, times: int) -> float:
    """CPU seconds of this process for `at_once` small reads by aiohttp alone.

    No client that uses aiohttp can need less.
    """
    headers = {"Authorization": f"Bearer {azure.token()}"}
    subscription = workspaces(1, 1)[0].partition("/resourceGroups/")[0]
    url = f"{azure.arm}{subscription}/providers/Microsoft.Authorization/locks?api-version=2020-05-01"
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=azure.ca))
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def read() -> None:
            async with session.get(url) as answer:
                await answer.json()

        await asyncio.gather(*(read() for _ in range(at_once)))
        before = time.process_time()
        for _ in range(times):
            await asyncio.gather(*(read() for _ in range(at_once)))
        return (time.process_time() - before) / times


def _events_per_second(azure: SweptAzure, names: Sequence[str]) -> float:
    targets = [first_compute(names[number % len(names)]) for number in range(_BURST)]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        started = time.perf_counter()
        for done in [threads.submit(_deliver_alone, azure, target) for target in targets]:
            done.result()
        return _BURST / (time.perf_counter() - started)


def _deliver_alone(azure: SweptAzure, target: str) -> None:
    with requests.Session() as session:  # a session belongs to one thread
        azure.deliver(target, session)
