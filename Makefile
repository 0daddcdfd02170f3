# Every task of the project under one name; `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# A Python to use instead of the one that set-up finds, for example `make setup PYTHON=/opt/python3.13/bin/python3`.
PYTHON ?=
# The same for the peers (`make peers`), which want Python 3.12; one wants Go (NCC_PEERS_GO).
PEERS_PYTHON ?=
# Anything but empty keeps the demo running after its order is done: `make demo STAY=1`.
STAY ?=
# Which story the demo plays: `order` if nothing is said, or `market`.
STORY ?=
# What the demo's shop is paid into: `simulated` if nothing is said, `lnbits` or `cashu` (real ones), `nwc` (a relay).
WALLET ?=
# How many tests with real parts run at once; most of their time they wait for processes of their own.
WORKERS ?= 3
# How long each target of `make fuzz` is searched, and which one when not all.
SECONDS ?= 60
TARGET ?=
# How many histories `make simulate` runs.
SEEDS ?= 2000
# How many payments `make payments` makes.
PAYMENTS ?= 1000000
# How many processes `make chaos` kills, and by which schedule; how long `make soak` runs.
KILLS ?= 20
SEED ?= 1
MINUTES ?= 90
# More arguments for the command that a target runs: `make bench ARGS='--seconds 30'`.
ARGS ?=

.PHONY: help setup peers check test demo bench fuzz simulate payments sabotage chaos soak requirements lock clean

help:  ## list these targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' '$(firstword $(MAKEFILE_LIST))' | expand -t 22

setup:  ## make .venv, the locked packages, the ncc command and Kafka's jars ready
	@NCC_PYTHON='$(PYTHON)' tools/setup.sh

peers: setup  ## install the real payment servers that tests use (.peers)
	@NCC_PEERS_PYTHON='$(PEERS_PYTHON)' tools/peers.sh $(ARGS)

check: setup  ## format, lint, types, tidy and the fast tests
	@tools/check.sh

test: check peers  ## everything: set-up, check, and the tests with real parts
	@echo 'test    real parts'
	@.venv/bin/python -m pytest -q -m real -n $(WORKERS) --dist loadscope

demo: setup  ## one order through the whole stack (WALLET=lnbits, STAY=1), or STORY=market: every answer
	@$(if $(filter lnbits,$(WALLET)),tools/peers.sh lnbits)
	@$(if $(filter cashu,$(WALLET)),tools/peers.sh nutshell)
	@.venv/bin/ncc demo $(if $(STORY),--story $(STORY)) $(if $(WALLET),--wallet $(WALLET)) $(if $(STAY),--stay) $(ARGS)

bench: setup  ## measure what the design promises
	@.venv/bin/python -m bench $(ARGS)

fuzz: setup  ## search for input that breaks a reader (SECONDS=60 each, TARGET=one of them)
	@.venv/bin/python -m tests.fuzz --seconds $(SECONDS) $(if $(TARGET),--target $(TARGET)) $(ARGS)

simulate: setup  ## whole histories from seeds, with every fault (SEEDS=2000 of them, ARGS='--seed 7' for one)
	@.venv/bin/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

payments: setup  ## a million payments of every kind through the domain, and whether all books agree (PAYMENTS=…)
	@.venv/bin/python -m tests.simulation.money --payments $(PAYMENTS) $(ARGS)

sabotage: setup  ## plant bugs one by one and see who catches each, and after how many seeds
	@.venv/bin/python -m tests.simulation.sabotage $(ARGS)

chaos: setup  ## kill, pause and lie to a whole running stack (KILLS=20, SEED=1)
	@.venv/bin/python -m tests.chaos --kills $(KILLS) --seed $(SEED) $(ARGS)

soak: setup  ## chaos, simulation and fuzzing beside each other (MINUTES=90); figures in build/soak
	@.venv/bin/python -m tests.chaos.soak --minutes $(MINUTES) $(ARGS)

requirements: setup  ## which requirement rows the tests claim
	@.venv/bin/python -m tools.requirements $(ARGS)

lock: setup  ## resolve pyproject.toml anew into the two lock files
	@tools/lock.sh $(ARGS)

clean:  ## remove what set-up and the tools made (the home folder .ncc stays)
	@rm -rf .venv .peers build deploy/kafka/libs tests/differential/node/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	@find schemas streams services tests tools bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
