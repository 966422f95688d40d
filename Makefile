# Every target is explained by its "##"; `make` alone lists them.
# Needed: make and Python >= 3.11. Everything else goes into $(VENV), pinned and checked by hash.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev
DEMO_DATA ?= demo-data

# Two processes: the tests hold their own PostgreSQL server each.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest
PARALLEL := -n $(WORKERS) --dist worksteal
# What must be covered to the last branch.
WHOLE := */practicus_mfa/core/*,*/practicus_mfa/crypto/*

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# The targets of `make test` print in order; the tests share the two processors among themselves.
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

##@ Try it

.PHONY: demo
demo: $(RUN) ## show a key rotation for 1,500 users, and the log-in page, in ./demo-data
	@$(BIN)/practicus-mfa demo run --data-dir $(DEMO_DATA)

.PHONY: screenshots
screenshots: $(DEV) postgresql chromium ## take the pictures in docs/img/login and docs/img/admin anew
	$(BIN)/python -m tools.screenshots docs/img

.PHONY: picture
picture: $(DEV) ## record docs/img/demo.svg anew
	$(BIN)/python tools/picture.py docs/img/demo.svg 2>/dev/null

##@ Test it

.PHONY: test
# kubernetes first: what it builds in the background in CI takes longest.
test: kubernetes lint types imports tests ## everything below but cover and bench

.PHONY: lint
lint: $(DEV) ## style and layout of the code (ruff)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: types
types: $(DEV) ## static types (mypy, strict)
	$(BIN)/mypy

.PHONY: imports
imports: $(DEV) ## which part may import which (import-linter)
	$(BIN)/lint-imports --no-logo

.PHONY: tests
tests: $(DEV) postgresql chromium kubernetes ## unit, property, integration, browser and cluster tests in one run
	$(PYTEST) $(PARALLEL) $(ARGS)

.PHONY: unit
unit: $(DEV) ## unit tests alone: quick, no server
	$(PYTEST) tests/unit $(PARALLEL) $(ARGS)

.PHONY: property
property: $(DEV) ## what holds for all input (Hypothesis)
	$(PYTEST) tests/property $(PARALLEL) $(ARGS)

.PHONY: integration
integration: $(DEV) postgresql ## with SQLite and a PostgreSQL server of the tests' own
	$(PYTEST) tests/integration $(PARALLEL) $(ARGS)

.PHONY: browser
# One after the other: a browser is company enough for the service and its database.
browser: $(DEV) postgresql chromium ## the login service's pages in Chromium
	$(PYTEST) tests/browser $(ARGS)

.PHONY: chart
chart: $(DEV) kubernetes ## the chart, rendered by Helm 3 and 4
	$(PYTEST) tests/chart $(PARALLEL) $(ARGS)

.PHONY: cluster
cluster: $(DEV) postgresql kubernetes ## on a real Kubernetes of the tests' own
	$(PYTEST) tests/cluster $(PARALLEL) $(ARGS)

.PHONY: cover
cover: $(DEV) postgresql chromium kubernetes ## the same tests, measured: core and crypto must be covered to the last branch
	$(PYTEST) $(PARALLEL) --cov --cov-report= $(ARGS)
	$(BIN)/coverage report
	$(BIN)/coverage report --include='$(WHOLE)' --fail-under=100

.PHONY: bench
bench: $(DEV) postgresql ## measurements, one after the other (minutes)
	@for bench in tokens rotation counts memory start verify login user_list backup sealing; do \
	  echo "== $$bench"; $(BIN)/python -m tests.bench.bench_$$bench || exit 1; done

.PHONY: bench-cluster
bench-cluster: $(DEV) postgresql kubernetes ## the same of the operator, in a cluster with a node (root; 20 minutes)
	@for bench in cluster operator; do \
	  echo "== $$bench"; $(BIN)/python -m tests.bench.bench_$$bench || exit 1; done

.PHONY: fuzz
fuzz: $(DEV) ## 100,000 made-up requests to the login service (ten minutes)
	PRACTICUS_MFA_TEST_CASES=100000 $(PYTEST) tests/property/test_login_requests.py $(ARGS)

.PHONY: postgresql
postgresql: $(DEV)
	@$(BIN)/python -m tests.support.postgres_programs

.PHONY: chromium
chromium: $(DEV)
	@$(BIN)/python -m tests.support.chromium_programs

.PHONY: kubernetes
kubernetes: $(DEV)
	@$(BIN)/python -m tests.support.cluster prepare --for=$$PPID

.PHONY: programs
programs: $(DEV) ## build the Kubernetes that the tests run (needs Go; 10 minutes, once)
	@$(BIN)/python -m tests.support.cluster programs

##@ Look at it on Kubernetes

.PHONY: cluster-up
cluster-up: $(DEV) ## start a cluster that stays, and say how to reach it
	@$(BIN)/python -m tests.support.cluster up

.PHONY: cluster-down
cluster-down: $(DEV) ## remove it
	@$(BIN)/python -m tests.support.cluster down

##@ Work on it

.PHONY: format
format: $(DEV) ## bring the code into the house style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: manifests
manifests: ## copy the definition of MfaPolicy into the chart
	cp crds/mfapolicies.yaml charts/practicus-mfa/crds/mfapolicies.yaml

.PHONY: docs
docs: $(DEV) ## build the documentation site into build/site; a warning is an error
	@$(BIN)/python -m tools.docs_site

.PHONY: reference
reference: $(DEV) ## write the pages of docs/reference that are made from the sources
	@$(BIN)/python -m tools.reference

.PHONY: diagrams
diagrams: $(DEV) chromium ## draw the documents' diagrams for the site (needs npm)
	@$(BIN)/python -m tools.diagrams

.PHONY: messages
messages: $(DEV) ## bring the catalogues of the login pages up to date; then translate what is new
	@$(BIN)/python tools/messages.py

.PHONY: hooks
hooks: $(DEV) ## check each commit before it is made (pre-commit)
	$(BIN)/pre-commit install

.PHONY: changelog
changelog: $(DEV) ## show what the next release's notes would say
	@$(BIN)/towncrier build --draft --version next

.PHONY: package
package: $(DEV) ## build the wheel and the source archive into dist/
	$(BIN)/python -m build --no-isolation

# UPGRADE=1 takes the newest versions; else only what pyproject.toml asks for changes. PIP_FIND_LINKS would put
# a folder of this machine into the result.
LOCK := env -u PIP_FIND_LINKS uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header $(if $(UPGRADE),--upgrade)

.PHONY: lock
lock: ## pin what pyproject.toml asks for in requirements/ (needs uv; UPGRADE=1 for the newest)
	$(LOCK) pyproject.toml -o requirements/run.txt
	$(LOCK) pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt
	$(LOCK) --group build -c requirements/dev.txt -o requirements/build.txt
	$(LOCK) --group sbom -c requirements/dev.txt -o requirements/sbom.txt

.PHONY: clean
clean: ## remove what these targets made, but for the environment
	rm -rf build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache \
		.ruff_cache $(DEMO_DATA)
	find operator tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## list these targets
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

$(RUN): requirements/run.txt requirements/build.txt pyproject.toml tools/environment.py
	@$(PYTHON) tools/environment.py $(VENV) run

$(DEV): requirements/dev.txt requirements/build.txt pyproject.toml tools/environment.py
	@$(PYTHON) tools/environment.py $(VENV) dev
