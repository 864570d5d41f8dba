"""The words of the guards: what keeps a change from being made, under a word that alerts and people can rely on.

A rule that objects is a guard under its own name. All other words are here, in the order in which the guards speak: the
first that objects gives the word. `shared.access.guardrails` asks those that the estate and the policy can tell,
`shared.writing.brakes` those that read more, and `shared.undo` the first and the last one.
"""

from enum import StrEnum
from typing import NewType, Self

RuleName = NewType("RuleName", str)
NO_RULE = RuleName("")
"""Until it is known which rule speaks."""


class Guard(StrEnum):
    """`means` is a sentence for the documentation. `policy` is the key of the policy file by which people steer it."""

    means: str
    policy: str

    def __new__(cls, word: str, means: str, policy: str = "") -> Self:
        """The word alone is the value."""
        one = str.__new__(cls, word)
        one._value_ = word
        one.means, one.policy = means, policy
        return one

    def in_policy(self, value: object) -> str:
        """How the policy file says `value` for the guard's key."""
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
        "The identity holds the role there on a condition, and Azure allows no second assignment of it.",
    )
    TARGET_MISSING = "target-missing", "What the workspace names does not exist."
    PRIVILEGED_ROLE = (
        "privileged-role",
        "The role hands out access, or may: amlguard grants it to nobody, whatever the policy says.",
    )
    IDENTITY_OUTSIDE_BOUNDARY = (
        "identity-outside-boundary",
        "The identity lies outside the workspace's trust boundary, and the allow-list does not name it.",
        "trust.allow",
    )
    TARGET_TYPE = "target-type", "What the workspace names is no resource of the type that the need is about."
    TARGET_OUTSIDE_BOUNDARY = (
        "target-outside-boundary",
        "The resource lies outside the workspace's trust boundary, or only a user names it; the allow-list does not.",
        "trust.allow",
    )
    CROSS_TENANT = (
        "cross-tenant",
        "The resource or the identity is not known to be of the workspace's own tenant: no policy opens that.",
    )
    CALLER_MUST_HOLD = (
        "caller-must-hold",
        "Whoever caused the event does not hold what would be granted and may not assign it either.",
        "trust.caller_must_hold",
    )
    LOCK = "lock", "A lock forbids the change."
    LIMITED_BY_PEOPLE = (
        "limited-by-people",
        "Somebody gave the identity a part of the data, or gave it on a condition, and the role would undo that limit.",
    )
    UNREADABLE = (
        "unreadable",
        "amlguard cannot read who holds what there, so that nobody can tell what is missing.",
    )
    SHARED_IDENTITY = (
        "shared-identity",
        "The grant is no longer needed here, but other workspaces may use the identity that holds it.",
    )
    EXEMPTION = "exemption", "The policy exempts the resource for a while.", "exemptions"
    REPORT_MODE = "report-mode", "The policy only reports what the rule would do.", "rules.*.mode"
    UNCOVERED_PULLER = (
        "uncovered-puller",
        "An identity that pulls from the registry lacks the role, so that the admin user stays on.",
    )
    NO_EVIDENCE = (
        "no-evidence",
        "The policy requires logs that show who signs in as the admin user, and they cannot be read.",
        "evidence.required",
    )
    ADMIN_LOGIN = (
        "admin-login",
        "Somebody still signed in to the registry as the admin user within the time that the logs are looked at.",
        "evidence.look_back_days",
    )
    NOT_READ = "not-read", "What would tell whether the admin user is still needed was not read yet."
    APPROVAL = "approval", "The policy wants a person to release the change (`amlguard approve`).", "rules.*.mode"
    CAP = "cap", "The run has made as many changes as the policy allows; a later one goes on.", "caps.per_run"
    KILL_SWITCH = (
        "kill-switch",
        "The app setting AMLGUARD_KILL_SWITCH, or the tag `amlguard` of a resource group, stops all changes.",
    )
    UNDONE = "undone", "A person took the change back; `amlguard apply --again` makes it once more."
    CONTESTED = (
        "contested",
        "Somebody keeps reverting the change; `amlguard apply --again` makes it once more.",
        "contested_after",
    )
    CAP_HOUR = (
        "cap-hour",
        "All instances together have made as many changes in this hour as the policy allows, or nobody can count them.",
        "caps.per_hour",
    )
    CAP_TARGET = (
        "cap-target",
        "As many changes were made at that one resource in this hour as the policy allows.",
        "caps.per_target",
    )
    RELIED_ON = "relied-on", "`amlguard undo` does not take back what others rely on, unless a person insists."


WANTED = (Guard.REPORT_MODE, Guard.EXEMPTION)
"""What people asked for in the policy: no alert has to tell them."""

type Word = Guard | RuleName
