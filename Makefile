# make demo [ARGS="--duration 20 --viewer none"]   the sample clip as a live camera
# make test                                        the whole test suite, types and linter
# make docs                                        the documentation as a site, in build/site
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
TESTS ?=
# the PyTorch release that recorded the golden vectors
TORCH ?= torch==2.13.0

.PHONY: demo test test-slow lint docs bench clean

demo: $(VENV)/installed
	@$(BIN)/remi-stream demo $(ARGS)

test: lint
	$(BIN)/python -m pytest -m "not slow and not soak" $(TESTS)

test-slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m slow $(TESTS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/installed-dev
	$(BIN)/zensical build --strict

bench: $(VENV)/installed-dev
	$(BIN)/python tools/bench_live.py $(ARGS)

clean:
	rm -rf $(VENV) build dist .cache

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@
