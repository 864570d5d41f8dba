"""What is deployed is used: each package of requirements.in is imported by the code that is deployed with it."""

import ast
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
DEPLOYED = (ROOT / "function_app.py", *(ROOT / "handlers").rglob("*.py"), *(ROOT / "shared").rglob("*.py"))
BY_OTHERS = {"aiohttp"}  # azure-core's asynchronous transport imports it


def asked_for() -> set[str]:
    lines = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    said = (line.partition("#")[0].strip() for line in lines)
    return {Requirement(line).name for line in said if line}


def imported() -> set[str]:
    found: set[str] = set()
    for path in DEPLOYED:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    return found


def provides(package: str, installed: Mapping[str, list[str]]) -> set[str]:
    """The modules that the package is: azure-mgmt-core is azure.mgmt.core."""
    if package.startswith("azure-"):
        return {package.replace("-", ".")}
    return {module for module, distributions in installed.items() if package in distributions}


def test_each_package_that_is_deployed_is_imported() -> None:
    modules, installed = imported(), packages_distributions()  # which reads the files of every package
    unused = {
        package
        for package in asked_for() - BY_OTHERS
        if not any(f"{one}.".startswith(f"{module}.") for one in modules for module in provides(package, installed))
    }
    assert unused == set()
