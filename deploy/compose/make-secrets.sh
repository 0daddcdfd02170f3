#!/usr/bin/env bash
# Makes the secret files that compose.yaml mounts; one that is there is left alone.
#
# The folder is yours only (0700). The files inside may be read by anybody (0444), because the containers run
# as other users than you, and each is handed only the files it needs.
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")}"

mkdir -p secrets
chmod 0700 secrets

for name in token keystore-passphrase preimage wallets hooks pseudonym; do
    if [ ! -e "secrets/$name" ]; then
        od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' >"secrets/.$name"
        echo >>"secrets/.$name"
        chmod 0444 "secrets/.$name"
        mv "secrets/.$name" "secrets/$name"
        echo "made secrets/$name"
    fi
done
