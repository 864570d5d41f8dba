"""What remedies say first, and what they keep: pasted as they stand, they leave nothing worse than it was."""

import re
import shlex
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from unit.build import REGISTRY, WORKSPACE, cluster, compute, estate, identity, identity_id, sai, uai, workspace

from shared.access.ask_rules import asks_of
from shared.access.asks import Finding
from shared.access.model import ComputeType, Estate, Want
from shared.access.rules import RULES
from shared.access.rules.az import at, az, code
from shared.access.rules.network.commands import close
from shared.access.rules.network.nsg import Direction, Gate, SecurityRule
from shared.access.rules.network.rules import FILE_SHARES, MANAGEMENT, REQUIRED, TRAINING, _commands, _Stopped
from shared.access.rules.network.subnets import _policy_commands
from shared.access.rules.recreate import recreate
from shared.access.scope import Scope

RULE = {rule.name: rule for rule in RULES}
NET = WORKSPACE.resource_group or WORKSPACE
SUBNET = Scope.parse(f"{NET}/providers/Microsoft.Network/virtualNetworks/net/subnets/nodes")
GROUP = Scope.parse(f"{NET}/providers/Microsoft.Network/networkSecurityGroups/nsg")


def remedy(rule: str, seen: Estate) -> str:
    (found,) = [one for one in asks_of(RULE[rule], seen.subject, seen) if isinstance(one, Finding)]
    return found.remedy


class TestCommands:
    @pytest.mark.parametrize("name", ["plain", "two words", "it's", '"$(id)`id`', "a`b``c", "!x \\y", "x; y && z"])
    def test_whatever_a_name_holds_is_one_word(self, name: str) -> None:
        said = code(az("x y", name=name))
        fence = said[: len(said) - len(said.lstrip("`"))]
        assert said.endswith(fence)
        inner = said.removeprefix(fence).removesuffix(fence)
        assert fence not in inner
        assert shlex.split(inner) == ["az", "x", "y", "--name", name]

    def test_they_say_in_which_subscription(self) -> None:
        assert WORKSPACE.subscription
        assert at(WORKSPACE)["subscription"] == WORKSPACE.subscription.name


class TestARegistryThatCloses:
    def closed(self, *, sku: str = "Premium", builds: str | None = "builds", **properties: Any) -> str:
        about = {"publicNetworkAccess": "Disabled", **({"imageBuildCompute": builds} if builds else {})}
        raw = {"sku": {"name": sku}, "properties": {"publicNetworkAccess": "Enabled", **properties}}
        seen = replace(estate(workspace(raw={"properties": about})), facts={Want(REGISTRY): raw})
        return remedy("registry-settings", seen)

    ENDPOINT: ClassVar[Any] = {
        "properties": {
            "privateEndpoint": {"id": f"{NET}/providers/Microsoft.Network/privateEndpoints/pe"},
            "privateLinkServiceConnectionState": {"status": "Approved"},
        }
    }

    def test_with_a_private_endpoint_it_just_closes(self) -> None:
        said = self.closed(privateEndpointConnections=[self.ENDPOINT])
        assert said.startswith("Close it: `az acr update")

    @pytest.mark.parametrize(
        ("first", "more"),
        [
            ("--sku Premium", {"sku": "Basic"}),
            ("az network private-endpoint create", {"privateEndpointConnections": []}),
            ("Service endpoints stop working", {"networkRuleSet": {"virtualNetworkRules": [{"id": str(SUBNET)}]}}),
            ("--image-build-compute", {"builds": None}),
        ],
    )
    def test_else_something_comes_first(self, first: str, more: dict[str, Any]) -> None:
        said = self.closed(**{"privateEndpointConnections": [self.ENDPOINT], **more})
        before, closes, _ = said.partition("Only then: ")
        assert closes
        assert first in before
        assert "--public-network-enabled false" not in before


class TestRecreating:
    RAW: ClassVar[Any] = {
        "properties": {
            "computeLocation": "westeurope",
            "properties": {
                "vmSize": "STANDARD_DS3_V2",
                "vmPriority": "LowPriority",
                "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 7, "nodeIdleTimeBeforeScaleDown": "PT1H2M"},
                "subnet": {"id": str(SUBNET)},
                "enableNodePublicIp": False,
            },
        },
        "tags": {"team": "two words"},
    }

    def test_a_cluster_comes_back_as_it_was(self) -> None:
        said = recreate(cluster("cpu1", uai("one"), raw=self.RAW), changed={"ssh_public_access_enabled": "false"})
        for kept in (
            f"--size STANDARD_DS3_V2 --location westeurope --subnet {SUBNET} --enable-node-public-ip false",
            "--tier low_priority --min-instances 0 --max-instances 7 --idle-time-before-scale-down 3720",
            f'--tags "team=two words" --identity-type UserAssigned --user-assigned-identities {identity_id("one")}',
        ):
            assert kept in said
        assert "Save what is on its disk" not in said

    def test_of_an_instance_the_disk_is_saved_and_of_its_own_identity_the_roles(self) -> None:
        said = recreate(compute("ci1", ComputeType.COMPUTE_INSTANCE, sai("ci1"), raw=self.RAW), changed={})
        assert said.startswith("Save what is on its disk first.")
        assert "it gets a new system-assigned identity" in said
        assert "--max-instances" not in said


class TestIdentities:
    def test_a_primary_that_is_gone_is_not_attached(self) -> None:
        gone = identity_id("gone")
        one = workspace(identity=identity(uai("one"), uai("two")), primary=gone)
        there: Any = {"properties": {"principalId": "p"}}
        for fact, attaches in ((None, False), (there, True)):
            seen = replace(estate(one), facts={Want(gone): fact})
            said = remedy("workspace-primary-identity", seen)
            assert (str(gone) in said) is attaches
            assert said.index("First give it the roles") < said.index("`az rest")

    def test_without_serverless_advice_on_top(self) -> None:
        one = workspace(identity=identity(uai("one"), uai("two")), primary=identity_id("gone"), serverless=True)
        assert list(asks_of(RULE["serverless-identity"], one, estate(one))) == []


class TestNetworks:
    def test_a_subnet_keeps_its_service_endpoints(self) -> None:
        raw = {"properties": {"serviceEndpoints": [{"service": "Microsoft.KeyVault"}]}}
        said = _policy_commands(SUBNET, raw, "westeurope")
        assert "--service-endpoints Microsoft.KeyVault Microsoft.Storage" in said
        assert said.index("name every account") < said.index("`az network")

    def test_two_rules_on_one_group_use_different_priorities(self) -> None:
        deny = SecurityRule("deny", 4000, Direction.OUTBOUND, allow=False)
        required = [
            (MANAGEMENT, REQUIRED[MANAGEMENT]),
            (TRAINING, REQUIRED[TRAINING]),
            (FILE_SHARES, REQUIRED[TRAINING]),
        ]
        gate = Gate(GROUP, (deny,))
        used = []
        for rule, every in required:
            stopped = [_Stopped(each, each.ports, deny) for each in every]
            used.append(set(re.findall(r"--priority (\d+)", " ".join(_commands(rule, gate, stopped)))))
        assert all(used)
        assert sum(map(len, used)) == len(set().union(*used))

    def test_a_rule_for_more_ports_stays_and_one_port_closes_ahead_of_it(self) -> None:
        wide = SecurityRule("all", 300, Direction.INBOUND, allow=True, protocol="tcp", ports=((20, 1000),))
        said = close(Gate(GROUP, (wide,)), wide, 22, "AzureMachineLearning")
        assert "rule update" not in said
        assert said.index("--priority 298 --access Allow --source-address-prefixes AzureMachineLearning") < said.index(
            "--priority 299 --access Deny"
        )
