#!/usr/bin/env bash
# Runs the scan once, in every format, and says how it ended. It fails for no finding: the action's last step does, once
# the reports are where they belong.
#
# Inputs, all by environment: PROGRAM, INPUT_PATH, INPUT_CONFIG, INPUT_ARGS, INPUT_FAIL_ON, INPUT_FRAMEWORK, INPUT_SUMMARY,
# and of the runner RUNNER_TEMP, GITHUB_OUTPUT, GITHUB_STEP_SUMMARY.
# Outputs: exit-code; complete (true if nothing was left unread); sarif and json (paths, where they were written).
set -euo pipefail

folder=$RUNNER_TEMP/keytrail
sarif=$folder/keytrail.sarif
json=$folder/keytrail.json
summary=$folder/summary.md
mkdir -p "$folder"
# What an earlier step left must not be taken for the report of this one.
rm -f "$sarif" "$json" "$summary"

arguments=(scan --format table --format "sarif=$sarif" --format "json=$json")
if [ "${INPUT_SUMMARY:-true}" = true ]; then arguments+=(--format "summary=$summary"); fi
if [ -n "${INPUT_CONFIG:-}" ]; then arguments+=("--config=$INPUT_CONFIG"); fi
if [ -n "${INPUT_FAIL_ON:-}" ]; then arguments+=("--fail-on=$INPUT_FAIL_ON"); fi
if [ -n "${INPUT_FRAMEWORK:-}" ]; then arguments+=("--framework=$INPUT_FRAMEWORK"); fi
# Words, at blanks and line ends: nothing is expanded, and no shell reads them.
words=()
read -r -d '' -a words <<<"${INPUT_ARGS:-}" || true
arguments+=(${words[@]+"${words[@]}"} -- "${INPUT_PATH:-.}")

# Names in a report are others' text: until the token comes, no line of it is a command to the runner.
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "::stop-commands::$token"
status=0
"$PROGRAM" "${arguments[@]}" || status=$?
echo "::$token::"

# So deep lies `summary.complete` alone: trends hold more of that name, deeper. Findings come first in the exit status: 1
# does not say that all was read.
complete=false
case $status in
  0 | 1) if [ -s "$sarif" ] && grep -Eq '^    "complete": true,?$' "$json"; then complete=true; fi ;;
esac

{
  echo "exit-code=$status"
  echo "complete=$complete"
  if [ -s "$sarif" ]; then echo "sarif=$sarif"; fi
  if [ -s "$json" ]; then echo "json=$json"; fi
} >>"$GITHUB_OUTPUT"

if [ -s "$summary" ]; then
  cat "$summary" >>"$GITHUB_STEP_SUMMARY"
elif [ "${INPUT_SUMMARY:-true}" = true ]; then
  echo "**Keytrail could not run** (exit status $status): the log of the step says why." >>"$GITHUB_STEP_SUMMARY"
fi
case $status in
  0 | 1 | 3)
    if [ "$complete" = false ]; then
      echo '::warning title=Keytrail::some evidence could not be read: nothing is uploaded to code scanning, where it would close alerts that are still true'
    fi
    ;;
  *) echo "::error title=Keytrail::it could not run (exit status $status)" ;;
esac
