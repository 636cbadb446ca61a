# One entry point for people and CI. `make help` lists the targets; ARGS="..." is passed on.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV ?= .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
UV := $(BIN)/uv
export PATH := $(CURDIR)/$(BIN):$(PATH)
STAMP := $(VENV)/.titan-synced

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@echo "== creating $(VENV)"
	@python3 -m venv $(VENV) && $(BIN)/pip install -q --disable-pip-version-check uv==0.13.8

.PHONY: setup
setup: $(UV) ## virtual environment, dependencies, compiled parts
	@bash .ci/system-packages
	@echo "== installing dependencies and compiling (about a minute the first time)"
	@$(UV) sync --frozen --all-packages

.PHONY: gen
gen: ## regenerate gen/ and titan_sdk/_pb from proto/
	@$(PY) -m protoc_gen_titan.pipeline

.PHONY: build-market build-execution
build-market: ## recompile titan_book and titan_market in place
	$(UV) pip install -q --no-deps --no-build-isolation -e services/market
build-execution: ## recompile the execution core in place
	$(UV) pip install -q --no-deps --no-build-isolation -e services/execution

.PHONY: bench-codec
bench-codec: ## encode and decode times of the generated families, side by side
	@$(PY) bench/codec.py $(ARGS)
