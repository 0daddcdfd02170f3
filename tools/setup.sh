#!/usr/bin/env bash
# Makes a fresh clone ready to run: .venv with the locked packages, the ncc command, Kafka's jars.
#
# Each step leaves a stamp with a digest of what it was made from, so a second run has nothing to do.
# NCC_PYTHON names the Python to use when the one found here is not wanted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
task=setup
. tools/steps.sh
venv_stamp=$root/.venv/.set-up
jars_stamp=$root/deploy/kafka/libs/.set-up

# ------------------------------------------------------------------------------------------------- Python

# The version ("3.13") of a Python that can make a venv; nothing for a shim without a version or an old one.
usable_version() {
    "$1" -c 'import sys, venv, ensurepip
if sys.version_info >= (3, 12): print("%d.%d" % sys.version_info[:2])' 2>/dev/null </dev/null || true
}

is_usable() { [ -n "$(usable_version "$1")" ]; }

wanted_python() {
    if [ -n "${NCC_PYTHON:-}" ]; then
        if is_usable "$NCC_PYTHON"; then printf '%s' "$NCC_PYTHON"; fi
    else
        find_python is_usable python3.13 python3.12 python3.14 python3
    fi
}

# pip takes uv's own entry from the lock, uv takes the rest six times faster than pip would.
# Where uv cannot reach the index (it does not read pip's settings), pip does all of it.
# Both check every file against the lock's digests; --no-deps because the lock is complete.
install_python() {
    local pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input)
    local locked=(--no-deps --require-hashes --requirement)
    awk '/^uv==/ { ours = 1 } ours { print } ours && !/\\$/ { exit }' requirements-dev.lock >build/uv.lock
    "${pip[@]}" "${locked[@]}" build/uv.lock
    .venv/bin/uv pip install --quiet --python .venv/bin/python "${locked[@]}" requirements-dev.lock ||
        "${pip[@]}" "${locked[@]}" requirements-dev.lock
}

install_project() {
    # "compat" puts one plain path into .venv: no import hook to run at every start of every process.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps \
        --no-build-isolation --config-settings editable_mode=compat --editable .
}

set_up_python() {
    local want python
    want=$(digest requirements-dev.lock pyproject.toml)
    if is_stamped "$venv_stamp" "$want" && .venv/bin/python -c '' 2>/dev/null; then return; fi
    if [ -z "$(usable_version .venv/bin/python)" ]; then
        python=$(wanted_python)
        [ -n "$python" ] || stop "No Python 3.12 or newer (with venv) was found${NCC_PYTHON:+ at $NCC_PYTHON}: install python3.13, or name one with \`make setup PYTHON=/path/to/python3\`."
        rm -rf .venv
        quietly "Python $(usable_version "$python") into .venv" 'Is the disk full?' "$python" -m venv .venv
    fi
    rm -f "$venv_stamp"
    quietly 'locked packages (about 1 GB on disk)' 'Check the network and run `make setup` again; what is installed already stays.' install_python
    quietly 'the ncc command' 'If pyproject.toml was changed, look there first.' install_project
    printf '%s' "$want" >"$venv_stamp"
}

# --------------------------------------------------------------------------------------------- Java, Kafka

java_command() {
    if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then printf '%s' "$JAVA_HOME/bin/java"; else command -v java || true; fi
}

require_java() {
    local java version
    java=$(java_command)
    version=$([ -z "$java" ] || "$java" -version 2>&1 </dev/null | sed -nE 's/.* version "([0-9]+).*/\1/p' | head -n 1)
    [ "${version:-0}" -ge 17 ] || stop "No Java 17 or newer was found (Kafka runs on it): install a JRE, for example openjdk-17-jre-headless."
}

copy_jars() {
    rm -rf build/kafka-libs
    mvn -B -ntp -f deploy/kafka/pom.xml dependency:copy-dependencies \
        "-DoutputDirectory=$root/build/kafka-libs" || return
    rm -rf deploy/kafka/libs
    mv build/kafka-libs deploy/kafka/libs
}

set_up_kafka() {
    local want
    want=$(digest deploy/kafka/pom.xml)
    if is_stamped "$jars_stamp" "$want" && [ -n "$(java_command)" ]; then return; fi
    require_java
    is_stamped "$jars_stamp" "$want" && return
    command -v mvn >/dev/null || stop "Maven (mvn) was not found (it fetches Kafka's jars once): install the package maven."
    quietly "Kafka's jars (about 43 MB)" 'Check the network and run `make setup` again.' copy_jars
    printf '%s' "$want" >"$jars_stamp"
}

set_up_python
set_up_kafka
say 'ready'
