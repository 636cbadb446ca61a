# One entry point for people and CI. `make help` lists the targets; ARGS="..." is passed on.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV ?= .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
UV := $(BIN)/uv
export PATH := $(CURDIR)/$(BIN):$(PATH)
STAMP := $(VENV)/.titan-setup
MEMBERS := gen/python sdk/codegen sdk/mesh sdk/python sdk/cli \
	services/market services/execution services/brain services/phases

COMPILED := $(shell find services gen/cython -name '*.pyx' -o -name '*.pxd')
PACKAGES := sdk/codegen/protoc_gen_titan sdk/mesh/titan_mesh sdk/python/titan_sdk sdk/cli/titan_cli \
	services/market/titan_book services/market/titan_market services/execution/titan_execution \
	services/brain/titan_brain services/phases/titan_scavenger

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@bash .ci/system-packages
	@echo "== creating $(VENV)"
	@python3 -m venv $(VENV) && $(BIN)/pip install -q --disable-pip-version-check uv==0.13.8

.PHONY: setup
setup: $(STAMP) ## virtual environment, dependencies, compiled parts
$(STAMP): $(UV) requirements.lock $(MEMBERS:%=%/pyproject.toml) $(COMPILED)
	@bash .ci/system-packages
	@echo "== installing locked dependencies"
	@$(UV) pip install -q --require-hashes -r requirements.lock
	@echo "== installing Titan's packages (compiles the book and the core, about a minute)"
	@$(UV) pip install -q --no-deps --no-build-isolation $(MEMBERS:%=-e %)
	@touch $@

.PHONY: demo test lint ci nightly
demo: setup ## ten minutes of market, a kill -9 in the middle, an account of it; ARGS="--json --data DIR"
	@$(PY) -m titan_cli demo $(ARGS)
test: setup ## everything against real servers; ARGS="-k name"
	@$(PY) -m pytest $(ARGS)
lint: setup ## ruff, mypy strict, import floors, house limits
	@echo "== ruff" && $(BIN)/ruff check -q . && $(BIN)/ruff format -q --check .
	@echo "== mypy" && $(BIN)/mypy $(PACKAGES)
	@echo "== floors" && $(BIN)/lint-imports --no-logo
	@echo "== tidy" && $(PY) -m pytest -q tests/tidy
ci: setup ## what CI runs; ends with the closing line of the tests
	@$(MAKE) --no-print-directory contract
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory demo
	@$(MAKE) --no-print-directory test
nightly: ci ## ci, then every bench and three more markets
	@for seed in 1 2 3; do $(MAKE) --no-print-directory demo ARGS="--seed $$seed" || exit 1; done
	@$(MAKE) --no-print-directory bench

.PHONY: tools
tools: ## grpcurl, ghz and the nats CLI into .cache/tools, where Go is there
	@bash .ci/install-tools

.PHONY: lock
lock: ## resolve the dependencies again and write requirements.lock (versions and hashes, no addresses)
	$(UV) lock --upgrade
	$(UV) export -q --no-emit-workspace --all-packages --all-groups --no-annotate --no-header \
		--format requirements.txt > requirements.lock

.PHONY: gen contract contract-release
gen: ## regenerate gen/ and titan_sdk/_pb from proto/
	@$(PY) -m protoc_gen_titan.pipeline
contract: ## generated code fresh, lint, format, breaking, catalogue, plugin, codecs
	@$(PY) -m pytest -q tests/unit/protoc_gen_titan tests/contract $(ARGS)
contract-release: gen ## re-cut what the contract is held against
	@$(PY) tests/contract/cut.py

.PHONY: build-market build-execution
build-market: ## recompile titan_book and titan_market in place
	$(UV) pip install -q --no-deps --no-build-isolation -e services/market
build-execution: ## recompile the execution core in place
	$(UV) pip install -q --no-deps --no-build-isolation -e services/execution

.PHONY: bench
bench: ## every bench
	@for one in $$(sed -n 's/^\(bench-[a-z]*\):.*/\1/p' Makefile); do \
		$(MAKE) --no-print-directory $$one || exit 1; done

.PHONY: bench-grpc
bench-grpc: setup ## ghz against a running mesh beside a bare grpc.aio echo; ARGS="--json"
	@$(PY) bench/grpc/run.py $(ARGS)

.PHONY: bench-fastpath
bench-fastpath: setup ## PREPARE and CONFIRM beside a bare socket ping-pong, both durabilities; ARGS="--json"
	@$(PY) bench/fastpath/run.py $(ARGS)

.PHONY: bench-codec
bench-codec: ## encode and decode times of the generated families, side by side
	@$(PY) bench/codec.py $(ARGS)

.PHONY: wheels
wheels: ## dist/: what a strategy author installs (titan-sdk, titan-mesh, titan-contracts)
	@rm -rf dist && mkdir dist
	@for member in gen/python sdk/mesh sdk/python; do \
		$(UV) build -q --wheel --no-build-isolation --python $(PY) --out-dir dist $$member || exit 1; done
	@rm -f dist/.gitignore && ls dist
