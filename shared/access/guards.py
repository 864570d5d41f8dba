"""The guard words: each names a reason to withhold a change, and alerts and people can rely on it.

A rule that objects is a guard under its own name. All other words are here, in the order in which the guards are asked:
the first that objects gives the word. `shared.access.guardrails` asks the guards that need only the estate and the
policy, `shared.writing.brakes` those that read more, and `shared.undo` the first and the last one.
"""

from enum import StrEnum
from typing import NewType, Self

RuleName = NewType("RuleName", str)
NO_RULE = RuleName("")
"""Stands in until the rule is known."""


class Guard(StrEnum):
    """`means` is a sentence for the documentation. `policy` is the key of the policy file that controls the guard."""

    means: str
    policy: str

    def __new__(cls, word: str, means: str, policy: str = "") -> Self:
        """Makes the word alone the value."""
        one = str.__new__(cls, word)
        one._value_ = word
        one.means, one.policy = means, policy
        return one

    def in_policy(self, value: object) -> str:
        """How the policy file writes `value` for the guard's key."""
        above, _, key = self.policy.rpartition(".")
        return f"{above}: {{{key}: {value}}}" if above else f"{key}: {value}"

    NOT_ASKED_FOR = (
        "not-asked-for",
        "A row says that a run took it away, and no rule, of no workspace that the policy looks at, has to do with it.",
        "scopes",
    )
    DENY_ASSIGNMENT = (
        "deny-assignment",
        "A deny assignment takes away what the role gives, or nobody can tell whether it does.",
    )
    CONDITIONAL_ASSIGNMENT = (
        "conditional-assignment",
        "The identity holds the role there under a condition, and Azure allows no second assignment of that role.",
    )
    TARGET_MISSING = "target-missing", "What the workspace names does not exist."
    PRIVILEGED_ROLE = (
        "privileged-role",
        "The role hands out access, or may do so. amlguard grants it to nobody, whatever the policy says.",
    )
    IDENTITY_OUTSIDE_BOUNDARY = (
        "identity-outside-boundary",
        "The identity lies outside the workspace's trust boundary, and the allow-list does not name it.",
        "trust.allow",
    )
    TARGET_TYPE = "target-type", "What the workspace names is not a resource of the type that the need is about."
    TARGET_OUTSIDE_BOUNDARY = (
        "target-outside-boundary",
        "The resource lies outside the trust boundary, or only a user named it, and it is not on the allow-list.",
        "trust.allow",
    )
    CROSS_TENANT = (
        "cross-tenant",
        "The resource or the identity is not known to be in the workspace's own tenant. No policy can allow this.",
    )
    CALLER_MUST_HOLD = (
        "caller-must-hold",
        "Whoever caused the event neither holds the role that would be granted nor may assign it.",
        "trust.caller_must_hold",
    )
    LOCK = "lock", "A lock forbids the change."
    LIMITED_BY_PEOPLE = (
        "limited-by-people",
        "Somebody gave the identity only a part of the data, or set a condition, and the role would undo that limit.",
    )
    UNREADABLE = (
        "unreadable",
        "amlguard cannot read who holds what there, so nobody can tell what is missing.",
    )
    SHARED_IDENTITY = (
        "shared-identity",
        "The grant is no longer needed here, but other workspaces may use the identity that holds it.",
    )
    EXEMPTION = "exemption", "The policy exempts the resource for a while.", "exemptions"
    REPORT_MODE = "report-mode", "The policy wants amlguard only to report what the rule would do.", "rules.*.mode"
    UNCOVERED_PULLER = (
        "uncovered-puller",
        "An identity that pulls from the registry lacks the role, so the admin user stays on.",
    )
    NO_EVIDENCE = (
        "no-evidence",
        "The policy requires logs that show who signs in as the admin user, and they cannot be read.",
        "evidence.required",
    )
    ADMIN_LOGIN = (
        "admin-login",
        "Somebody signed in to the registry as the admin user within the time that amlguard looks back.",
        "evidence.look_back_days",
    )
    NOT_READ = "not-read", "amlguard has not yet read what would tell whether the admin user is still needed."
    APPROVAL = "approval", "The policy wants a person to release the change (`amlguard approve`).", "rules.*.mode"
    CAP = "cap", "The run has made as many changes as the policy allows. A later run makes the others.", "caps.per_run"
    KILL_SWITCH = (
        "kill-switch",
        "The app setting AMLGUARD_KILL_SWITCH, or the tag `amlguard` of a resource group, stops all changes.",
    )
    UNDONE = "undone", "A person took the change back. `amlguard apply --again` makes it once more."
    CONTESTED = (
        "contested",
        "Somebody keeps reverting the change. `amlguard apply --again` makes it once more.",
        "contested_after",
    )
    CAP_HOUR = (
        "cap-hour",
        "All instances together have made as many changes in this hour as the policy allows, or the count is unknown.",
        "caps.per_hour",
    )
    CAP_TARGET = (
        "cap-target",
        "In this hour, as many changes were made at this one resource as the policy allows.",
        "caps.per_target",
    )
    RELIED_ON = "relied-on", "`amlguard undo` does not take back what others rely on, unless a person adds `--force`."


WANTED = (Guard.REPORT_MODE, Guard.EXEMPTION)
"""Guards that people asked for in the policy, so no alert has to report them."""

type Word = Guard | RuleName
