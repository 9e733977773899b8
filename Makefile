# One command each; every target sets up what it needs.
#   make demo    shows the main job on the embedded engine
#   make test    runs the tests, but for the long ones
#   make help    lists the rest
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
NEW_ENOUGH := import sys; sys.version_info < (3, 11) and sys.exit("mem0-exports needs Python 3.11 or newer: make PYTHON=python3.12 ...")
BIN := .venv/bin
READY := .venv/.ready
SEED ?=
ifneq ($(SEED),)
export SEED
endif
export URL KIND RATE JUNIT MAX_REQUESTS TIMES ONLY SUITES JOBS SPEC
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Three processes, for two cores: some tests mostly wait. tests/conftest.py says what stays together and what comes first.
PARALLEL := -n 3 --no-loadscope-reorder
LONG := tests/end_to_end/shell tests/end_to_end/durability tests/end_to_end/regeneration tests/contract/deployment
OTHERS := tests/end_to_end/llm

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

.PHONY: setup
setup: $(READY) ## build .venv from the hash-locked requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c '$(NEW_ENOUGH)'
	@echo "setting up .venv for development (once, about a minute)"
	@$(PYTHON) -m venv --clear .venv
	@pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

# The demonstration needs only what users install. Where everything is set up, it uses that.
DEMO_READY := $(if $(wildcard $(READY)),$(READY),.venv/.ready-for-demo)

.venv/.ready-for-demo: requirements-demo.lock pyproject.toml
	@$(PYTHON) -c '$(NEW_ENOUGH)'
	@echo "setting up .venv for the demonstration (once, about 20 seconds)"
	@$(PYTHON) -m venv --clear .venv
	@echo "installing the packages of mem0-exports[all], hash-checked"
	@pip install --quiet --disable-pip-version-check --require-hashes -r requirements-demo.lock
	@pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

.PHONY: demo
demo: $(DEMO_READY) ## show the main job: a profile, a timeline, a filtered export
	@mem0-exports demo

.PHONY: test
test: $(READY) ## run the tests, but for the long ones, with half of the generated cases
	@BUDGET=$${BUDGET:-0.5} pytest -q $(PARALLEL) $(addprefix --ignore=,$(LONG) $(OTHERS))

# What the unit tests need besides the package itself. Their oldest versions are taken too, as far as they are named.
TEST_TOOLS := "pytest>=8.4" "pytest-timeout>=2.3" "pytest-xdist>=3.8" "hypothesis>=6.130" "trio>=0.27" \
  "pandas>=2.2.2" "polars>=1.20" "pyyaml>=6" "openapi-spec-validator>=0.8" "griffelib>=2"

.PHONY: test-lowest
test-lowest: $(READY) ## run the unit tests with the oldest supported versions of the dependencies
	@python -m venv --clear .venv-lowest
	@uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct -e ".[all,arrow]" $(TEST_TOOLS)
	@.venv-lowest/bin/python -m pytest -q $(PARALLEL) tests/unit

.PHONY: llm
llm: $(READY) ## run the tests with a real language model, SmolLM2 (some 130 MB, downloaded once)
	@if python tools/real_model.py prepare; then pytest -q -s tests/end_to_end/llm; else [ $$? -eq 3 ]; fi

.PHONY: demo-llm
demo-llm: $(READY) ## show a profile out of plain sentences, read by that model, and where each value stands
	@python tools/real_model.py demo || [ $$? -eq 3 ]

.PHONY: test-all
test-all: $(READY) ## run every test, with all generated cases; those with a real language model are `make llm`
	@pytest -q $(PARALLEL) $(addprefix --ignore=,$(LONG) $(OTHERS))
	@pytest -q $(LONG)

.PHONY: unit
unit: $(READY)
	@pytest -q $(PARALLEL) tests/unit tests/tools

.PHONY: check
check: lint types lint-spec check-generated check-api unit ## the fast gates: format, lint, types, drift, unit tests

.PHONY: lint
lint: $(READY)
	@ruff format --check .
	@ruff check .

.PHONY: format
format: $(READY) ## reformat, and apply the linter's safe fixes
	@ruff format .
	@ruff check --fix .

.PHONY: types
types: $(READY)
	@mypy
	@pyright

.PHONY: generate
generate: $(READY) ## regenerate generated/mem0_exports_api from openapi.yaml
	@python tools/generate.py

.PHONY: lint-spec
lint-spec: $(READY) ## fail if openapi.yaml breaks a rule, and say where and how to mend it
	@python tools/lint_spec.py

.PHONY: upstream-diff
upstream-diff: $(READY) ## compare another OpenAPI document with openapi.yaml; SPEC=FILE
	@python tools/upstream_diff.py $(if $(SPEC),"$$SPEC")

.PHONY: check-generated
check-generated: $(READY) ## fail if generated/ is not what openapi.yaml gives
	@python tools/generate.py --check

.PHONY: check-api
check-api: $(READY) ## fail if a public name went or changed, and CHANGELOG.md does not say so
	@python tools/public_api.py

.PHONY: api
api: $(READY) ## at a release: renew api/mem0_exports.pyi, which check-api compares with
	@python tools/public_api.py --write

.PHONY: contract
ifneq ($(URL),)
contract: $(READY)
	@python -m tests.contract.deployment --url "$$URL" $(if $(filter 1,$(WRITE)),--write) $(if $(filter 1,$(ENGINE)),--engine) \
		$(if $(RATE),--rate "$$RATE") $(if $(SEED),--seed "$$SEED") $(if $(JUNIT),--junit "$$JUNIT") \
		$(if $(MAX_REQUESTS),--max-requests "$$MAX_REQUESTS")
else
contract: $(READY) ## the property-based tests alone; SEED=N draws other cases; URL=... checks a running deployment
	@pytest tests/contract/engine
endif

.PHONY: contract-long
contract-long: $(READY) ## the same with ten times as many cases, from a random seed
	@SEED=$${SEED:-$$(python -c 'import secrets; print(secrets.randbelow(2**32))')} BUDGET=$${BUDGET:-10} \
		pytest tests/contract/engine

.PHONY: conformance
conformance: $(READY) ## the clients against the spec: every documented answer, every request; SEED=N, TIMES=N
	@pytest tests/contract/client $(if $(SEED),--hypothesis-seed=$(SEED))

.PHONY: mutants
mutants: $(READY) ## plant small faults, one at a time, and say which suite catches each; ONLY=, SUITES=, JOBS=
	@python -m tests.mutants $(if $(ONLY),--only "$$ONLY") $(if $(SUITES),--suites "$$SUITES") $(if $(JOBS),--jobs "$$JOBS")

.PHONY: spec-mutants
spec-mutants: $(READY) ## edit each property of openapi.yaml, and say whether a type checker or a test notices; KIND=
	@python -m tests.mutants.spec_edits --kind $${KIND:-rename}

.PHONY: bench
bench: $(READY) ## what users wait for, with goals, with 100,000 memories: one table, in a minute or two
	@python benchmarks/bench.py

.PHONY: bench-large
bench-large: $(READY) ## the same with a million memories, and the pictures of docs/performance.md
	@python benchmarks/bench.py 1000000
	@python benchmarks/curves.py

.PHONY: bench-client
bench-client: $(READY) ## the time of the client itself, to httpx with the same requests
	@python benchmarks/client.py

.PHONY: interop
interop: $(READY) ## the official mem0ai clients (Python, npm) and curl against `mem0-exports serve`
	@bash tests/end_to_end/interop/run.sh

.PHONY: oss
oss: $(READY) ## fill the stores of the real open-source Mem0, and pull from them
	@bash tests/end_to_end/oss/run.sh

.PHONY: build
build: $(READY) ## build the wheel into dist/
	@rm -rf dist
	@python -m hatchling build

LOCKED := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet
.PHONY: lock
lock: $(READY) ## renew the lock files (hashes, and no registry address)
	@uv pip compile pyproject.toml --all-extras --group dev $(LOCKED) --upgrade -o requirements.lock
	@uv pip compile pyproject.toml --extra all --group build $(LOCKED) -c requirements.lock -o requirements-demo.lock
	@for mem0 in tests/end_to_end/oss/mem0-1 tests/end_to_end/oss/mem0-2; do \
	  uv pip compile $$mem0.in pyproject.toml --extra all --extra postgres $(LOCKED) --upgrade -o $$mem0.lock; done

.PHONY: clean
clean: ## remove what the other targets made
	@rm -rf .venv dist .pytest_cache .mypy_cache .ruff_cache .hypothesis demo-output
