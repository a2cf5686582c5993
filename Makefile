# Bare `make` prints this help. The recipes call the firedrill command; scripts/bootstrap.py prepares it.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BOOTSTRAP ?= python3 scripts/bootstrap.py
PYTHON_BIN := .venv/bin/python
FIREDRILL := .venv/bin/firedrill
PARALLEL := -n logical --dist loadfile
export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: help up down status logs doctor verify drill drills calm fault heal load report reload bench check test test-compose clean generate lock setup setup-dev

help: ## Print this help
	@echo "Firedrill: an observability stack in which every alert is a drill."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  Settings go on the command line or into .env: make up PACE=production TRACES=all RUNTIME=local"

setup:
	@$(BOOTSTRAP) up

setup-dev:
	@$(BOOTSTRAP) dev

up: setup ## Start the stack and follow until everything is ready
	@$(FIREDRILL) up

down: setup ## Stop the stack; data stays
	@$(FIREDRILL) down

status: setup ## Show what runs, since when, and what is wrong
	@$(FIREDRILL) status

logs: setup ## Show logs: make logs NAME=fds
	@$(FIREDRILL) logs $(NAME)

doctor: setup ## Look for what would keep the stack from starting
	@$(FIREDRILL) doctor

verify: setup ## Prove that metrics, logs, traces, alerting, panels and links hold data
	@$(FIREDRILL) verify

drill: setup ## Run a drill: make drill NAME=FDSSLAViolation; without NAME list them
	@$(FIREDRILL) drill $(NAME)

drills: setup ## Run every drill, side by side where none disturbs another; reports in reports/drills
	@$(FIREDRILL) drill all

calm: setup ## Watch for false alarms while nothing is broken: make calm MINUTES=30; with PAST=1 look back
	@$(FIREDRILL) calm $(if $(MINUTES),--minutes $(MINUTES)) $(if $(PAST),--past)

fault: setup ## Break something: make fault NAME=fds/cti_slow PARAMS="milliseconds=150" TTL=60; without NAME list
	@$(FIREDRILL) fault $(if $(NAME),set $(NAME) $(PARAMS) $(if $(TTL),--ttl $(TTL)),list)

heal: setup ## Heal what was broken, all of it or NAME=fds/cti_slow
	@$(FIREDRILL) fault clear $(NAME)

load: setup ## Drive load: make load SHAPE=surge SECONDS=60 RATE=50 UI=1
	@$(FIREDRILL) load $(if $(SHAPE),--shape $(SHAPE)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RATE),--rate $(RATE)) $(if $(UI),--ui)

report: setup ## Series, log lines, spans and disk beside their budgets: make report SECONDS=300 watches for so long
	@$(FIREDRILL) report $(if $(SECONDS),--seconds $(SECONDS))

reload: setup ## Check edited rules and configs, then have the running stack take them
	@$(FIREDRILL) reload

screenshots: setup ## Pictures of the running stack's console in reports/screenshots; needs Chromium
	@$(PYTHON_BIN) scripts/screenshots.py $(NAME)

bench: setup-dev ## Measure what the telemetry library costs, as a ratio to bare FastAPI
	@$(PYTHON_BIN) -m loadtest.bench

check: setup-dev ## Fast checks without backends: lint, types, unit and contract tests
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@$(PYTHON_BIN) -m pytest -q $(PARALLEL) -m "not servers" tests/unit tests/contract
	@echo "not run here: tests that start PostgreSQL or Redis, and those of the running stack; make test has them"

test: setup-dev ## Everything: checks, docker-compose.yml on an engine where one can be had, the whole local stack (builds what is missing)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@$(FIREDRILL) build --all
	@THOROUGH=1 $(PYTHON_BIN) -m pytest -q $(PARALLEL) tests/unit tests/contract
	@$(PYTHON_BIN) -m pytest tests/compose
	@$(PYTHON_BIN) -m pytest --durations=15 --durations-min=10 tests/integration

test-compose: setup-dev ## The part of it on a real engine of its own, with stand-ins for the official images; needs root
	@$(PYTHON_BIN) -m pytest tests/compose

clean: setup ## Stop the stack and delete its data, after asking
	@$(FIREDRILL) clean

generate: setup-dev ## Renew what is made from the code: dashboards, SLO rules, pages in docs/
	@$(PYTHON_BIN) scripts/generate_docs.py
	@$(PYTHON_BIN) scripts/generate_grafana.py

lock: setup-dev ## Renew requirements/*.txt from requirements/*.in
	@for name in services console up dev uv; do \
	  (cd requirements && UV_CUSTOM_COMPILE_COMMAND="make lock" ../.venv/bin/uv pip compile --universal \
	    --python-version 3.11 --generate-hashes -q $$name.in -o $$name.txt) || exit 1; done
