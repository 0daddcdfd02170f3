#!/usr/bin/env bash
# Installs the JavaScript peer of the differential tests into node/node_modules, once for each lock file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/node"
stamp=node_modules/.set-up
want=$(cat package.json package-lock.json | cksum | tr -d ' ')
if [ -f "$stamp" ] && [ "$(<"$stamp")" = "$want" ]; then exit 0; fi

stop() {
    printf 'peer    %s\n' "$1" >&2
    exit 1
}

version=$(node --version 2>/dev/null | sed -nE 's/^v([0-9]+).*/\1/p' || true)
[ "${version:-0}" -ge 20 ] && command -v npm >/dev/null ||
    stop 'No Node.js 20 or newer with npm was found (nostr-tools runs on it in the tests): install the package nodejs.'
# No package's own script is run, and the lock names digests.
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >/dev/null ||
    stop 'nostr-tools could not be fetched: check the network and run this again.'
printf '%s' "$want" >"$stamp"
