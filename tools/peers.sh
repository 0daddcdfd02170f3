#!/usr/bin/env bash
# Installs the real payment servers that tests pay and are paid by: each in an environment of its own in .peers.
#
# They want libraries that ours cannot live with, so nothing of theirs is ever imported by us.
# One peer is one lock, deploy/peers/NAME.txt, with its wishes in NAME.in; the stamp keeps the lock's digest.
# A peer in Go is a folder, deploy/peers/NAME: go.mod says what is wanted, go.sum has the digests. Without Go it is
# left out with a word, and the tests that need it say so.
# `tools/peers.sh` installs all, `tools/peers.sh lnbits` one, `tools/peers.sh --lock` resolves the wishes anew.
# NCC_PEERS_PYTHON and NCC_PEERS_GO name the Python and the Go to use when those found here are not wanted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
task=peers
# Go keeps what it fetched and compiled under HOME, which a bare environment does not have.
export HOME="${HOME:-$root/.peers}"
. tools/steps.sh

# LNbits wants a Python below 3.13, and 3.12 is the oldest that our locks are made for.
is_usable() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null </dev/null; }

wanted_python() {
    if [ -n "${NCC_PEERS_PYTHON:-}" ]; then
        if is_usable "$NCC_PEERS_PYTHON"; then printf '%s' "$NCC_PEERS_PYTHON"; fi
    else
        find_python is_usable python3.12 python3
    fi
}

# uv is six times faster than pip; where it cannot reach the index, pip does the work. Both check the digests.
install_peer() {
    local python=$1 folder=$2 lock=$3 locked=(--no-deps --require-hashes --requirement)
    rm -rf "$folder"
    mkdir -p "$(dirname "$folder")"
    "$python" -m venv "$folder"
    .venv/bin/uv pip install --quiet --python "$folder/bin/python" "${locked[@]}" "$lock" ||
        "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "${locked[@]}" "$lock"
}

# As its own installer puts it, Go need not be on PATH. An older one than go.mod wants is no Go: it would fetch another.
wanted_go() {
    local go
    for go in ${NCC_PEERS_GO:-go /usr/local/go/bin/go}; do
        if (cd "$1" && GOTOOLCHAIN=local "$go" list -m) >/dev/null 2>&1 </dev/null; then
            printf '%s' "$go"
            return
        fi
    done
}

build_peer() {
    local go=$1 folder=$2 lock=$3
    rm -rf "$folder"
    mkdir -p "$folder"
    (cd "$lock" && GOTOOLCHAIN=local GOFLAGS='-mod=readonly -buildvcs=false' "$go" build -o "$root/$folder/" "$("$go" list -f '{{.ImportPath}}' tool)")
}

set_up_go_peer() {
    local name=$1 lock=deploy/peers/$1 folder=.peers/$1 go
    if is_stamped "$folder/.set-up" "$(digest "$lock"/go.*)"; then return; fi
    go=$(wanted_go "$lock")
    if [ -z "$go" ]; then
        say "$name is left out, and the tests that need it fail: no Go $(sed -nE 's/^go //p' "$lock/go.mod") was found${NCC_PEERS_GO:+ at $NCC_PEERS_GO}."
        return
    fi
    quietly "$name" 'Check the network and run `make peers` again.' build_peer "$go" "$folder" "$lock"
    digest "$lock"/go.* >"$folder/.set-up"
}

set_up_peer() {
    if [ -f "deploy/peers/$1/go.mod" ]; then
        set_up_go_peer "$1"
    else
        set_up_python_peer "$1"
    fi
}

set_up_python_peer() {
    local name=$1 lock=deploy/peers/$1.txt folder=.peers/$1 python
    [ -f "$lock" ] || stop "There is no peer called $name: deploy/peers has a lock for each."
    if is_stamped "$folder/.set-up" "$(digest "$lock")" && "$folder/bin/python" -c '' 2>/dev/null; then return; fi
    python=$(wanted_python)
    [ -n "$python" ] || stop "No Python 3.12 (with venv) was found${NCC_PEERS_PYTHON:+ at $NCC_PEERS_PYTHON}: install python3.12, or name one with \`make peers PEERS_PYTHON=/path/to/python3.12\`."
    quietly "$name $(sed -nE 's/^.*==([^ ;]+).*/\1/p' "deploy/peers/$name.in")" 'Check the network and run `make peers` again.' install_peer "$python" "$folder" "$lock"
    digest "$lock" >"$folder/.set-up"
}

lock_peer() {
    if [ -f "deploy/peers/$1/go.mod" ]; then
        (cd "deploy/peers/$1" && "${NCC_PEERS_GO:-go}" mod tidy)
        return
    fi
    .venv/bin/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links "deploy/peers/$1.in" --output-file "deploy/peers/$1.txt"
}

if [ "${1:-}" = --lock ]; then
    work=lock_peer
    shift
else
    work=set_up_peer
fi
if [ $# = 0 ]; then
    for lock in deploy/peers/*.in; do set -- "$@" "$(basename "$lock" .in)"; done
    for lock in deploy/peers/*/go.mod; do set -- "$@" "$(basename "$(dirname "$lock")")"; done
fi
for name in "$@"; do "$work" "$name"; done
say 'ready'
