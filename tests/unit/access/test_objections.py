"""An objection holds for what it names: that registry, that setting, that identity."""

import pytest
from unit.build import (
    GROUP,
    REGISTRY,
    STORAGE,
    WORKSPACE,
    cluster,
    estate,
    guid,
    registry,
    registry_id,
    sai,
    terms,
    workspace,
)

from shared.access.ask_rules import ask_rules
from shared.access.asks import Objection, Property, RequiredGrant, RequiredSetting
from shared.access.cases import GrantCase, SettingCase, Situation
from shared.access.guards import RuleName
from shared.access.needs import PULL
from shared.access.permissions import Coverage
from shared.access.rules import RULES
from shared.access.scope import Scope

C1 = sai("cpu1")
RULE = next(rule for rule in RULES if rule.name == "registry-admin-user")


def _at() -> Situation:
    seen = estate(workspace(cluster("cpu1", C1)), registry(admin_user=True))
    return Situation([ask_rules(seen.subject, seen, terms())], seen, terms())


@pytest.mark.parametrize(
    ("target", "setting", "meant"),
    [
        (REGISTRY, Property.ADMIN_USER, True),
        (registry_id("other"), Property.ADMIN_USER, False),
        (GROUP, Property.ADMIN_USER, False),
        (REGISTRY, Property.CACHED_KEYS, False),
        (REGISTRY, None, False),
    ],
)
def test_of_a_setting(target: Scope, setting: Property | None, meant: bool) -> None:
    ask = RequiredSetting(REGISTRY, Property.ADMIN_USER, "true", "false", RULE.requirements, "it is on")
    case = SettingCase(_at(), RULE, ask, "id")
    assert case.is_meant_by(Objection(target, setting, "no", rule=RuleName("r"))) is meant


@pytest.mark.parametrize(
    ("target", "setting", "principal", "meant"),
    [
        (REGISTRY, None, None, True),
        (GROUP, None, None, True),
        (REGISTRY, None, C1.id, True),
        (REGISTRY, None, guid("somebody"), False),
        (STORAGE, None, None, False),
        (registry_id("other"), None, C1.id, False),
        (REGISTRY, Property.ADMIN_USER, None, False),
    ],
)
def test_of_a_grant(target: Scope, setting: Property | None, principal: str | None, meant: bool) -> None:
    ask = RequiredGrant(C1, PULL, REGISTRY, WORKSPACE, ("AML-18",), "it pulls")
    case = GrantCase(_at(), RULE, ask, Coverage(PULL.permissions))
    assert case.is_meant_by(Objection(target, setting, "no", principal)) is meant
