# `make run` and `make test` are all that a newcomer needs; both make their own environment.
PYTHON ?= python3
VENV ?= $(if $(filter python3,$(notdir $(PYTHON))),.venv,.venv-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
FEEDRUN := $(BIN)/feedrun

.PHONY: run test test-slow tools lint smoke bench bench-quick docs constraints clean

run: $(VENV)/.run            ## environment, install, the main experiment at laptop scale
	$(FEEDRUN) experiment=noise_power_law

test: $(VENV)/.dev           ## all fast tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --durations=15

test-slow: $(VENV)/.dev tools   ## the long tests: full theory checks, a real SLURM, a browser
	$(BIN)/python -m pytest -m slow

tools:                       ## Chromium and SLURM for the long tests, where they can be installed
	sh scripts/install_for_slow_tests.sh

lint: $(VENV)/.dev           ## ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

smoke: $(VENV)/.run          ## every experiment in configs/ at scale=smoke
	set -e; for path in configs/experiment/*.yaml; do \
	  $(FEEDRUN) experiment=$$(basename $$path .yaml) scale=smoke force=true; done

bench: $(VENV)/.run          ## full benchmark, about ten minutes with peers
	$(BIN)/python -m scripts.bench

bench-quick: $(VENV)/.run    ## its quick part, about three minutes with peers
	$(BIN)/python -m scripts.bench --quick

docs: $(VENV)/.run           ## redraw docs/ and the README's tables from outputs/
	$(BIN)/python -m scripts.docs

constraints: $(VENV)/.dev    ## resolve the exact versions anew
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --universal --no-header --no-annotate --no-emit-index-url \
	  --python-version 3.11 --extra dev pyproject.toml -o constraints.txt

clean:                       ## forget the environments (records stay)
	rm -rf .venv .venv-*

$(VENV)/.run: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@ $(VENV)/.run
