"""Preloaded last: makes what each process would otherwise make for itself, and takes the heap from the collector.

The parsers of KQL and of conditions take a third of a second, and what a machine trusts takes 30 ms to read. A
collection in a forked process takes almost as long as the parsers, because each page that the collector touches is
copied.
"""

import gc
import sys
from importlib import import_module
from pathlib import Path

from emulator.identity.conditions import Attributes, Conditions
from emulator.kql.parse import parse

sys.path.append(str(Path(__file__).parent))  # a process that is forked has the path of the one that wanted it
import_module("forked")
import_module("forked_workers").take_on({})  # as each process will once more, with its own environment
parse("Table")
Conditions().fulfilled("(!(ActionMatches{'a'}))", "a", Attributes())
gc.collect()
gc.freeze()
