"""Loaded last of what is forked: what each local Azure would make for itself, and no garbage to look for later.

The parsers of KQL and of conditions take a third of a second. To look through all that is loaded takes as long, because
each page that the collector touches is copied.
"""

import gc

from emulator.identity.conditions import Attributes, Conditions
from emulator.kql.parse import parse

parse("Table")
Conditions().fulfilled("(!(ActionMatches{'a'}))", "a", Attributes())
gc.collect()
gc.freeze()
