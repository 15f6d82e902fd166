# Every command of the project. Needs nothing but make and Python 3.11 or newer.
SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

# KEEP=1 and EXIT=1 are switches; 0 and nothing are off.
on = $(filter-out 0 no false,$(1))
PORTS = $(if $(PORT_BASE),--port-base $(PORT_BASE))
RUN_OPTIONS = $(if $(DATA),--data "$(DATA)") $(if $(call on,$(KEEP)),--keep) $(if $(call on,$(EXIT)),--exit) \
	$(if $(EVENTS),--events $(EVENTS)) $(if $(SEED),--seed $(SEED)) $(if $(BASE),--base $(BASE)) $(PORTS)
NEEDS_ONLY_PYTHON := not kafka and not browser and not compose

# Compiled detectors are kept between runs, those of tests and benchmarks with stacks of their own too.
export NUMBA_CACHE_DIR ?= $(CURDIR)/var/cache/numba

.PHONY: help setup lock run up test test-kafka test-compose test-browser check fmt bench chaos detect links demo docs migrate revision clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) ## make .venv from requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer found (tried python3.11, python3.12, python3.13," \
		"python3). Install one, or name it: make setup PYTHON=/path/to/python" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "make: $(PYTHON) cannot create a" \
		"virtual environment; on Debian and Ubuntu install the package python3-venv" >&2; exit 1; }
	@echo "installing requirements.lock into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock: $(STAMP) ## write both lock files anew from requirements.in and pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --upgrade requirements.in --group dev --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --upgrade --group peers --constraints requirements.lock --output-file requirements-peers.lock

run: $(STAMP) ## stack, simulator and summary (DATA= KEEP=1 EXIT=1 EVENTS= SEED= KAFKA_BOOTSTRAP= DATABASE_URL=)
	@$(BIN)/crosswatch run $(RUN_OPTIONS)

demo: run ## the same as run

up: $(STAMP) ## the stack alone, on the data of the last run
	@$(BIN)/crosswatch up $(PORTS)

test: $(STAMP) ## every test that needs nothing but Python
	$(BIN)/pytest -m "$(NEEDS_ONLY_PYTHON)" $(ARGS)

test-kafka: $(STAMP) ## the tests that need Apache Kafka (Java 17, Maven)
	$(BIN)/python -m deploy.kafka.cluster --fetch
	$(BIN)/pytest -m kafka $(ARGS)

test-compose: $(STAMP) ## one flow through the containers; skipped where no Docker engine answers
	$(BIN)/pytest -m compose $(ARGS)

test-browser: $(STAMP) ## the tests that need Chromium
	$(BIN)/pytest -m browser $(ARGS)

check: $(STAMP) ## format, lint, types, import contracts, drift of generated documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m deploy.documents --check

fmt: $(STAMP) ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP) ## benchmarks into docs/benchmarks.md and var/bench.json (ONLY=<prefix> ANCHORS=<directory> REGISTRATIONS=<n> MEMBERS=<n>)
	$(BIN)/python -m deploy.kafka.cluster --fetch
	POLARS_MAX_THREADS=1 $(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(ANCHORS),--anchors $(ANCHORS))

chaos: $(STAMP) ## the kill loop (KILLS=<n>)
	$(BIN)/python -m tests.faults.chaos --kills $(or $(KILLS),50) $(if $(SEED),--seed $(SEED)) \
		$(if $(EVENTS),--events $(EVENTS)) $(PORTS)

detect: $(STAMP) ## the detection tracks on real data, into docs/detection.md (DATA=<directory> PEERS=1)
	$(if $(call on,$(PEERS)),@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements-peers.lock)
	$(BIN)/python -m benchmarks.detection --data $(or $(DATA),data)

links: $(STAMP) ## hidden links on perturbed copies of companies, into docs/identity.md (COMPANIES=<csv.gz> SEEDS="21 22 23")
	@test -n "$(COMPANIES)" || { echo 'usage: make links COMPANIES=<file> [SEEDS="21 22 23"]' >&2; exit 1; }
	$(BIN)/python -m benchmarks.hidden_links --companies "$(COMPANIES)" --seeds $(or $(SEEDS),21 22 23) --out docs/identity.md

docs: $(STAMP) ## generate the documents that are made from code
	$(BIN)/python -m deploy.documents

migrate: $(STAMP) ## migrate the databases of <NAME>_OWNER_DATABASE_URL (SERVICE=<name> for one); the stack does by itself
	$(BIN)/python -m deploy.prepare migrations $(if $(SERVICE),--services $(SERVICE))

revision: $(STAMP) ## a new migration (SERVICE=<name> MESSAGE="add case deadline")
	@test -n "$(SERVICE)" -a -n "$(MESSAGE)" || { echo 'usage: make revision SERVICE=<name> MESSAGE="<words>"' >&2; exit 1; }
	$(BIN)/python -m deploy.revision $(SERVICE) "$(MESSAGE)"

clean: ## remove the environment; var/ stays
	rm -rf $(VENV)
