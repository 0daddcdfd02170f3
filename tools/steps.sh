#!/usr/bin/env bash
# What the set-up scripts share: one line for each step, its output in a log, a stamp when it is done.
#
# Whoever sources this has set `task` (the first word of every line) and `root` (the clone).
log=$root/build/$task.log

say() { printf '%-7s %s\n' "$task" "$1"; }

stop() {
    printf '%-7s %s\n' "$task" "$1" >&2
    exit 1
}

# quietly WHAT ADVICE COMMAND…: runs it with its output in the log; a failure shows the log's end and the advice.
quietly() {
    local what=$1 advice=$2 started=$SECONDS
    shift 2
    say "$what …"
    mkdir -p "$root/build"
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 25 "$log" >&2
        stop "$what failed. $advice The whole log is build/$task.log."
    fi
    say "$what: done in $((SECONDS - started)) s"
}

digest() { cat "$@" | cksum | tr -d ' '; }

is_stamped() { [ -f "$1" ] && [ "$(<"$1")" = "$2" ]; }

# find_python IS_USABLE NAME…: the best Python of a machine, those named first before later ones; nothing where
# there is none. IS_USABLE is a function that is given the path; a shim without a version behind it fails there.
find_python() {
    local is_usable=$1 name candidate
    shift
    for name in "$@"; do
        while read -r candidate; do
            if "$is_usable" "$candidate"; then
                printf '%s' "$candidate"
                return
            fi
        done < <(python_candidates "$name")
    done
}

# Every match on PATH, not just the first: a pyenv shim in front may hide a working system Python.
python_candidates() {
    local version
    type -aP "$1" || true
    if command -v pyenv >/dev/null; then
        pyenv versions --bare 2>/dev/null | while read -r version; do
            case python$version in "$1"*) printf '%s/bin/python\n' "$(pyenv prefix "$version" 2>/dev/null)" ;; esac
        done
    fi
}
