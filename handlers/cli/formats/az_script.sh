#!/usr/bin/env bash
# What amlguard found missing or wrong, as commands of the Azure CLI. They change Azure as whoever runs them.
# First comes what is missing. Before each switch-off and each removal, `amlguard plan --scope` looks again: what somebody
# may still need is left as it is. The script may be run again: what is done already stays.
# Exit code: 0 done, 1 stopped by an error, 2 something was left as it is.
set -euo pipefail

stop() {
  printf 'amlguard: stopped: %s\n' "$1" >&2
  exit 1
}

step() {
  printf '%s\n' "$1"
}

left=0
leave() {
  printf 'amlguard: left as it is: %s (%s)\n' "$1" "$2" >&2
  left=2
}

for tool in amlguard az python3; do
  command -v "$tool" >/dev/null || stop "the script needs $tool on the PATH"
done

# Grants need time to act, and the policy says how much. So long, at most, the script waits for that: 0 does not wait.
wait_minutes=${AMLGUARD_WAIT_MINUTES:-20}

read_plan='
import json, sys
from urllib.parse import quote

what, wanted = sys.argv[1], sys.argv[2].casefold().rstrip("/")
plan = json.load(sys.stdin)
if plan["errors"]:
    sys.exit("; ".join(plan["errors"]))


def is_it(one):
    if what == "removal":
        return str(one.get("roleAssignmentId")).casefold().rstrip("/") == wanted
    return one.get("property") == what and str(one.get("resourceId")).casefold().rstrip("/") == wanted


verdict, reason = "nothing", ""
if any(is_it(one) for one in (*plan["settings"], *plan["removals"])):
    verdict = "now"
for part, word in (("deferred", "later"), ("withheld", "kept")):
    for one in plan[part]:
        if is_it(one["action"]):
            verdict, reason = word, one["reason"]
print(verdict)
print("".join(one if one.isprintable() else " " for one in reason))
for one in plan["settings"]:
    if one.get("property") == "cachedKeys":
        print(quote(one["resourceId"], safe="/"))
'

# look_again WHAT ID SCOPE [--scope ID]...: plans anew. $verdict is what the plan says of that change: now, later, kept
# or nothing. Where no plan can be made, nothing more is changed.
look_again() {
  local what=$1 id=$2 scope=$3 code=0 plan answer
  shift 3
  plan=$(amlguard plan --scope "$scope" "$@" --fresh --format json) || code=$?
  [[ $code == 0 || $code == 2 ]] || stop "amlguard cannot plan $scope again (exit code $code): nothing more is changed"
  answer=$(python3 -c "$read_plan" "$what" "$id" <<<"$plan") || stop "the new plan of $scope is not whole: nothing more is changed"
  verdict=$(sed -n 1p <<<"$answer")
  reason=$(sed -n 2p <<<"$answer")
  cached=$(sed 1,2d <<<"$answer")
}

once_settled() {
  look_again "$@"
  while [[ $verdict == later ]] && ((SECONDS < wait_minutes * 60)); do
    printf 'amlguard: waiting: %s\n' "$reason" >&2
    sleep 60
    look_again "$@"
  done
}

# The workspaces that the new plan names besides these.
refresh_others() {
  local one known
  while IFS= read -r one; do
    for known; do
      [[ $one != "$known" ]] || continue 2
    done
    [[ -n $one ]] || continue
    az rest --method post --url "$one/resyncKeys?api-version=2025-12-01" --output none </dev/null ||
      stop "the keys that $one keeps were not refreshed: repeat that command"
  done <<<"$cached"
}
