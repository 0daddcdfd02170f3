#!/usr/bin/env bash
# Resolves pyproject.toml into requirements.lock (to run) and requirements-dev.lock (to run and to develop).
#
# One lock serves Python 3.12 and 3.13 on every platform; it names digests and no index.
# `tools/lock.sh --upgrade` takes newer versions, without it pinned ones stay where they still fit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

resolve() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links "$@" pyproject.toml
}

resolve "$@" --output-file requirements.lock
# setuptools builds the project itself into .venv, so the lock must hold it although uv calls it unsafe.
resolve "$@" --group dev --constraint requirements.lock --output-file requirements-dev.lock
echo 'lock    requirements.lock and requirements-dev.lock are up to date'
