# `make conformance` runs the suite against what this machine can test, `make test` the project's own tests. Both set up what they need.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
MINUTES ?= 5

.PHONY: conformance coverage suts test lint bench fuzz clean

conformance: $(STAMP)
	@mkdir -p build
	$(BIN)/conformance run --captures build/captures --json build/results.jsonl

coverage: $(STAMP)
	$(BIN)/conformance coverage --against .ci/coverage.json

suts: $(STAMP)
	$(BIN)/python -m conformance.sut.build $(SUTS)

test: $(STAMP)
	$(BIN)/python -m pytest -n auto

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python tests/check_schema.py

fuzz: $(STAMP)
	$(BIN)/python -m tests.stack.fuzz --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.capture.fuzz --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

bench: $(STAMP)
	$(BIN)/python -m tests.bench.bench

mutants: $(VENV)/.mutants
	$(BIN)/python -m tests.mutants $(if $(ONLY),--only '$(ONLY)') $(if $(MOST),--most $(MOST)) --json build/mutants.json

$(VENV)/.mutants: $(STAMP)
	$(BIN)/python -m pip install --quiet --editable '.[mutants]'
	@touch $@

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build
