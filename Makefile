# make run · make test · make test-clients · make check · make bench · make lock
# make bench-durability: docs/durability.md
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)

.PHONY: run test test-clients check bench bench-durability lock clean
.DEFAULT_GOAL := run

run: $(VENV)/.runtime
	@$(BIN)/flask sign-in-link --welcome
	@exec $(BIN)/gunicorn 'app:create_app()'

test: $(VENV)/.dev
	$(BIN)/pytest -n 3 $(ARGS)

# Other people's front ends and clients, from npm: the only target that needs Node.js.
NPM := $(wildcard tests/clients/front_ends/package-lock.json tests/clients/oauth_clients/package-lock.json)

test-clients: $(VENV)/.dev $(NPM:package-lock.json=node_modules/.installed)
	$(BIN)/pytest $(ARGS) $(wildcard tests/clients/front_ends tests/clients/oauth_clients)

%/node_modules/.installed: %/package-lock.json
	cd $* && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

bench: $(VENV)/.dev
	$(BIN)/python -m bench

bench-durability: $(VENV)/.dev
	$(BIN)/python -m tests.durability $(ARGS)

# The lock files name one version and its hashes for every package, for all platforms and Python 3.11+.
lock:
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/pip install --quiet uv==0.13.8
	for name in requirements requirements-dev; do \
	  $(VENV)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header $$name.in -o $$name.txt; \
	done

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache test-results tests/clients/*/node_modules

$(VENV)/bin/python:
ifdef UV
	$(UV) venv --quiet --python $(PYTHON) $(VENV)
else
	$(PYTHON) -m venv $(VENV)
endif

define install
$(if $(UV),$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r $(1),\
  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1))
endef

$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	@echo "Setting up, about half a minute the first time …"
	@$(call install,requirements.txt)
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt | $(VENV)/bin/python
	@echo "Setting up the development tools, about a minute the first time …"
	@$(call install,requirements-dev.txt)
	@touch $@ $(VENV)/.runtime
