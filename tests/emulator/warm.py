"""Preloaded last: makes what each local Azure would otherwise make for itself, and takes the heap from the collector.

The parsers of KQL and of conditions take a third of a second. A collection in a forked process takes almost as long,
because each page that the collector touches is copied.
"""

import gc

from emulator.identity.conditions import Attributes, Conditions
from emulator.kql.parse import parse

parse("Table")
Conditions().fulfilled("(!(ActionMatches{'a'}))", "a", Attributes())
gc.collect()
gc.freeze()
