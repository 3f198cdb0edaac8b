# Every target explains itself in the text behind its ##; plain `make` prints them.

PYTHON = python3
PORT = 8000
DATA = data
SPEED =
CHAOS = short
SIMULATION = short
SEED = 1
SEEDS = 400
DAYS = 0.0003
ORDERS = 500
FAULTS = heavy
HOURS = 2
ARGS =

BIN = .venv/bin
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate

.DEFAULT_GOAL = help
.PHONY: help setup setup-dev run test simulate soak check bench lock clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## install what the program needs into .venv, at the locked versions
	@PYTHON="$(PYTHON)" scripts/bootstrap requirements.lock

setup-dev: ## install what tests and checks need as well
	@PYTHON="$(PYTHON)" scripts/bootstrap requirements-dev.lock

run: setup ## trade on the practice venue and open the dashboard: PORT=8000 DATA=data SPEED=n; Ctrl-C stops
	@exec $(BIN)/trading-orchestrator run --practice --port "$(PORT)" --data-dir "$(DATA)" $(if $(SPEED),--speed "$(SPEED)")

test: setup-dev ## run the whole suite: CHAOS=long kills 40 times, SIMULATION=long is 200 seeds, ARGS='-k journal' picks
	@$(if $(filter long,$(CHAOS)),CHAOS_KILLS=40) $(if $(filter long,$(SIMULATION)),SIMULATION_SEEDS=200) $(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

simulate: setup ## break the trading wing on a virtual clock, twice as long as CI: SEED=1 SEEDS=400 ORDERS=500 FAULTS=heavy
	@exec $(BIN)/trading-orchestrator simulate --seed "$(SEED)" --seeds "$(SEEDS)" --days "$(DAYS)" --faults "$(FAULTS)" \
		--least-orders "$(ORDERS)" --least-faults 200 --jobs "$$(nproc)" --table --complete $(ARGS)

soak: setup ## trade for HOURS=2 at load with random drills (SEED=1): do memory, descriptors, tasks, logs and disk stay bounded?
	@exec $(BIN)/trading-orchestrator soak --hours "$(HOURS)" --seed "$(SEED)" $(ARGS)

check: setup-dev ## ruff, formatting, types, and imports that point down only
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: setup ## measure again what the README quotes: ARGS='journal orders' picks; the kills are in `make test CHAOS=long`
	@exec $(BIN)/python -m benchmarks $(ARGS)

lock: setup-dev ## resolve the dependencies anew into requirements.lock and requirements-dev.lock: ARGS=--upgrade
	@$(COMPILE) $(ARGS) --group build pyproject.toml --output-file requirements.lock
	@$(COMPILE) $(ARGS) --group dev --constraint requirements.lock pyproject.toml --output-file requirements-dev.lock

clean: ## remove .venv and caches; data stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
