"""How the Functions host refuses, in the words of Azure/azure-functions-host (src/WebJobs.Script)."""


class HostSettingsError(ValueError):
    """A host.json that the Functions host does not start with."""


class FunctionConfigurationError(ValueError):
    """What is wrong with one function: the host starts without it."""
