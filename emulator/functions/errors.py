"""How the Functions host refuses, in the words of Azure/azure-functions-host (src/WebJobs.Script)."""


class HostSettingsError(ValueError):
    """A host.json with which the Functions host does not start."""


class FunctionConfigurationError(ValueError):
    """What is wrong with one function. The host starts without it."""
