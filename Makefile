# Two commands do everything on a machine with Python and git: `make demo` and `make test`.
PYTHON ?= python3
DEMO ?= runs/cells
EPOCHS ?= 100
BIN := .venv/bin
# -qq: quiet but for errors.
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test lint clean peers
.DELETE_ON_ERROR:

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST))

demo: .venv/.ready-demo ## learn from the bundled pictures of blood cells, evaluate, and write a report (minutes)
	$(BIN)/twofold pretrain byol examples/cells/train.parquet --val examples/cells/test.parquet --out $(DEMO) \
	  --backbone resnet10 --stem imagenet --image-size 48 --batch-size 64 --epochs $(EPOCHS)
	$(BIN)/twofold evaluate $(DEMO) examples/cells/train.parquet --test examples/cells/test.parquet \
	  --protocols knn,5nn,linear
	@echo "The report: $(DEMO)/report.html"

test: .venv/.ready-dev ## run the tests
	$(BIN)/python -m pytest

lint: .venv/.ready-dev ## style, types and the house's import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: ## remove everything that can be made again; runs/ stays
	rm -rf .venv build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "twofold needs Python 3.10 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

# Stamps: an install is repeated only when what it was made from has changed.
.venv/.ready-demo: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing twofold into .venv; the first time brings PyTorch, a few minutes."
	$(PIP) -e ".[report]"
	@touch $@

.venv/.ready-dev: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing twofold and its development tools into .venv; the first time brings PyTorch, a few minutes."
	$(PIP) -e ".[dev]"
	@touch $@ .venv/.ready-demo

peers: .venv-peers/.ready ## set up the environment that the benchmarks compare with
.venv-peers/.ready: benchmarks/peers.txt constraints.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt -r benchmarks/peers.txt
	@touch $@
