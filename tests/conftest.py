"""Beside this file lies what tests share: pytest puts its folder on the path (`from fakes import …`, `unit.build`)."""

from hypothesis import settings

settings.register_profile("amlguard", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("amlguard")
