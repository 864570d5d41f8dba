"""The version of what is installed. Only pyproject.toml says it."""

from importlib.metadata import PackageNotFoundError, version


def installed() -> str:
    """Empty where it runs from a folder and is not installed."""
    try:
        return version("amlguard")
    except PackageNotFoundError:
        return ""
