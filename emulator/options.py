"""The command line of the local Azure."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from emulator.deployment import ACCESS

_ROOT = Path(__file__).parents[1]
_MOST_FILTER_VALUES = 25


@dataclass(frozen=True, kw_only=True)
class Options:
    tenant: Path | None = None
    """None means an empty tenant with one subscription."""
    port: int = 0
    functions_port: int = 0
    latency_ms: float = 0
    seed: int = 0
    faults: Path | None = None
    functions: bool = True
    policy: Path | None = None
    app: Path = _ROOT
    access: Path = ACCESS
    tables: tuple[Path, ...] = (_ROOT / "infra" / "tables.json", _ROOT / "infra" / "azure_tables.json")
    condition: str | None = None
    watched: frozenset[str] | None = None
    """Subscriptions and management groups for which the app has its rights. None means all subscriptions."""
    throttle: bool = True
    operation_ms: float = 200
    workers: int = 1
    operations: frozenset[str] | None = None
    """The operations about which Event Grid tells the app. None means all."""
    settings: tuple[tuple[str, str], ...] = ()
    """App settings in addition to those that the local Azure makes itself."""
    state: Path | None = None
    """The folder in which everything is kept for the next start."""
    topic: bool = False
    """Whether the app is told of a topic of Event Grid, to which it sends what it did."""
    verbose: bool = False


def parse(arguments: list[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(prog="amlguard emulate", description="A local Azure, and the function app on it.")
    parser.add_argument("--tenant", type=Path, metavar="FILE", help="the tenant: raw ARM objects in JSON")
    parser.add_argument("--port", type=_port, default=0, help="of Azure Resource Manager; 0 picks a free one")
    parser.add_argument("--functions-port", type=_port, default=0, help="of the functions host; 0 picks a free one")
    parser.add_argument("--latency-ms", type=_milliseconds, default=0, help="delays every answer of Azure")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is made up")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="which calls fail and how: docs/faults.md")
    parser.add_argument("--no-functions", dest="functions", action="store_false", help="Azure only")
    parser.add_argument("--app", type=Path, metavar="FOLDER", default=_ROOT, help="the function app; default: this one")
    parser.add_argument("--policy", type=Path, metavar="FILE", help="the function app's policy")
    parser.add_argument("--access", type=Path, metavar="FILE", default=Options.access, help="the app identity's roles")
    parser.add_argument("--condition", help="what {condition} in the access file stands for")
    parser.add_argument(
        "--watched",
        type=_lower,
        help="what the app gets rights in; default: all subscriptions",
    )
    parser.add_argument("--no-throttle", dest="throttle", action="store_false", help="limits that nobody reaches")
    parser.add_argument("--operation-ms", type=_milliseconds, default=200, help="how long a slow creation takes")
    parser.add_argument("--workers", type=_count, default=1, help="instances of the function app")
    parser.add_argument(
        "--operations", type=_names, action="append", help="what one filter of Event Grid lets through; default: all"
    )
    parser.add_argument(
        "--setting", dest="settings", type=_setting, action="append", default=[], help="an app setting, NAME=VALUE"
    )
    parser.add_argument(
        "--state", type=Path, metavar="FOLDER", help="keeps certificates, ports and the tenant for the next start"
    )
    parser.add_argument("--topic", action="store_true", help="the app sends what it did to a topic of Event Grid")
    parser.add_argument("--verbose", action="store_true", help="says on stderr what it does")
    options = vars(parser.parse_args(arguments))
    filters = options["operations"]
    passed = None if filters is None else frozenset[str]().union(*filters)
    return Options(**{**options, "settings": tuple(options["settings"]), "operations": passed})


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 to 64")
    return int(text)


def _lower(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.lower().split(",")))


def _names(text: str) -> frozenset[str]:
    """One advanced filter has at most 25 values: https://learn.microsoft.com/azure/event-grid/event-filtering#limitations"""
    names = frozenset(filter(None, text.split(",")))
    if len(names) > _MOST_FILTER_VALUES:
        raise argparse.ArgumentTypeError(f"{len(names)} operations, and a filter of Event Grid has at most 25")
    return names


def _setting(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, value


def _milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < 3_600_000:
        raise argparse.ArgumentTypeError(f"{text} is no number of milliseconds")
    return value
