"""The parser test can fail: what the CLI, Microsoft's reference and AML's schemas refuse is refused here."""

import pytest
from az.parse import documents_commands, faults, remedies_commands

_WORKSPACE = "--workspace-name mlw --resource-group rg"
_SUBNET = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg/providers/Microsoft.Network"
_SUBNET += "/virtualNetworks/net/subnets/nodes"

RIGHT = (
    "az acr update --name acrml --public-network-enabled false",
    f"az network vnet subnet update --ids {_SUBNET} --service-endpoints Microsoft.Storage",
    "az network vnet subnet update --ids SUBNET-ID --nat-gateway NAT-GATEWAY-ID",
    "az role assignment create --assignee-object-id <object-id> --role Reader --scope /subscriptions/<id>",
    "az role definition list --name 'a b' > r.json && az role definition update --role-definition r.json",
    "az acr show --name acrml && az acr delete --name $(az acr list --query '[0].name' --output tsv)",
    f"az ml compute delete --name cpu1 {_WORKSPACE} --yes",
    f"az ml online-endpoint update --name infer {_WORKSPACE} --set auth_mode=aad_token",
    "az ml workspace update --name mlw --resource-group rg --set serverless_compute.custom_subnet=SUBNET-ID",
)
WRONG = {
    "az acr update --name acrml --public-network-enabled false.": "not a valid value",
    "az acr update --public-network-enabled false": "required: --name",
    "az acr update --name acrml --public-access false": "unrecognized",
    "az acr update --name acrml, in the end": "unrecognized arguments: in the end",
    "az acr updatte --name acrml": "misspelled",
    "az network vnet subnet update --service-endpoints Microsoft.Storage": "required",
    "az network vnet subnet update --ids subnet --service-endpoints Microsoft.Storage": "invalid resource ID",
    "az acr show --name acrml && az acr delete": "required: --name",
    "az acr update … --admin-enabled false": "required: --name",
    "az acr delete --name $(az acr list --quiet)": "unrecognized",
    f"az ml compute delete --name cpu1 {_WORKSPACE} --force": "unrecognized: --force",
    f"az ml compute delete {_WORKSPACE}": "required: --name",
    f"az ml compute create --type AmlCompute --name cpu1 {_WORKSPACE} --enable-node-public-ip x": "none of true, false",
    f"az ml compute create --type AmlCompute --name cpu1 {_WORKSPACE} --set ssh_access=false": "ssh_access",
    f"az ml compute delete --name cpu1 --name cpu2 {_WORKSPACE}": "twice: --name",
    f"az ml datastore create --file D.yml {_WORKSPACE} --set resource_group=rg": "resource_group",
    f"az ml online-endpoint update --name infer {_WORKSPACE} --set auth_mode=token": "auth_mode",
    "az ml workspace update --name mlw --resource-group rg --serverless-compute-custom-subnet SUBNET": "unrecognized",
    "az ml workspace sync-keys --name mlw --resource-group rg": "not among the commands that were looked up",
}


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    return faults([*RIGHT, *WRONG])


def test_what_is_right_passes(found: dict[str, str]) -> None:
    assert {command: said for command, said in found.items() if command in RIGHT} == {}


@pytest.mark.parametrize("command", WRONG)
def test_what_is_wrong_does_not(found: dict[str, str], command: str) -> None:
    assert WRONG[command] in found.get(command, "")


def test_a_command_outside_backquotes_has_no_end() -> None:
    assert remedies_commands("Look first: `az acr show --name a`. Then `az acr delete --name a`.") == [
        "az acr show --name a",
        "az acr delete --name a",
    ]
    assert remedies_commands("``az role definition list --name 'a`b'``") == ["az role definition list --name 'a`b'"]
    with pytest.raises(ValueError, match="outside backquotes"):
        remedies_commands("Delete it: az acr delete --name a.")


def test_documents_have_commands_in_blocks_and_in_lines() -> None:
    text = "Use `az login`:\n\n```sh\naz acr show \\\n  --name a  # which one\n```\n\n```yaml\naz: x\n```\n"
    assert documents_commands(text) == ["az acr show    --name a  # which one", "az login"]


def test_what_is_only_named_lacks_nothing() -> None:
    named = ["az acr delete", "az acr update … --admin-enabled false", "az acr show --name …  # which one"]
    assert set(faults([*named, "az acr update … --admin off"], naming=True)) == {"az acr update … --admin off"}
