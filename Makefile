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

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@echo "== creating $(VENV)"
	@python3 -m venv $(VENV) && $(BIN)/pip install -q --disable-pip-version-check uv==0.13.8

.PHONY: setup
setup: $(STAMP) ## virtual environment, dependencies, compiled parts
$(STAMP): $(UV) requirements.lock $(MEMBERS:%=%/pyproject.toml)
	@bash .ci/system-packages
	@echo "== installing locked dependencies"
	@$(UV) pip install -q --require-hashes -r requirements.lock
	@echo "== installing Titan's packages (compiles the book and the core, about a minute)"
	@$(UV) pip install -q --no-deps --no-build-isolation $(MEMBERS:%=-e %)
	@touch $@

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

.PHONY: bench-codec
bench-codec: ## encode and decode times of the generated families, side by side
	@$(PY) bench/codec.py $(ARGS)

.PHONY: wheels
wheels: ## dist/: what a strategy author installs (titan-sdk, titan-mesh, titan-contracts)
	@rm -rf dist && mkdir dist
	@for member in gen/python sdk/mesh sdk/python; do \
		$(UV) build -q --wheel --no-build-isolation --python $(PY) --out-dir dist $$member || exit 1; done
	@rm -f dist/.gitignore && ls dist
