#!/usr/bin/env bash
# The gate before a commit: format, lint, types, tidy, fast tests; stops at the first that fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=$PWD/.venv/bin

# step NAME ADVICE COMMAND…: one line when it passes, its output and an advice when it does not.
step() {
    local name=$1 advice=$2 output
    shift 2
    if output=$("$@" 2>&1); then
        printf 'check   %s: %s\n' "$name" "$(tail -n 1 <<<"$output")"
    else
        printf '%s\n' "$output" >&2
        printf 'check   %s failed. %s\n' "$name" "$advice" >&2
        exit 1
    fi
}

# The type checker uses one core while everything else uses another.
types_log=$(mktemp)
"$bin/mypy" >"$types_log" 2>&1 &
types=$!
trap 'kill "$types" 2>/dev/null || true; rm -f "$types_log"' EXIT

types_result() {
    cat "$types_log"
    return "$types_status"
}

step format 'Run `.venv/bin/ruff format`.' "$bin/ruff" format --check .
step lint 'Run `.venv/bin/ruff check --fix`, then mend the rest by hand.' "$bin/ruff" check .
step tidy 'Each line above says what to do.' "$bin/python" -m tools.tidy
rm -f build/contract.json  # what the tests saw of the payment contract gathers there anew
step tests 'Run the failing test alone: `.venv/bin/python -m pytest PATH::NAME`.' "$bin/python" -m pytest -q -m 'not real' \
    -n auto --maxprocesses 4 --dist loadscope
types_status=0
wait "$types" || types_status=$?
step types 'Each line above names a file and what its types say.' types_result
