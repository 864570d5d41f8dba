"""What is wrong with a list of faults."""


class FaultsError(ValueError):
    """The list of faults cannot be used. The message names the place in it."""
