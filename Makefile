# The commands that people type; each does one thing and says what it does.
PYTHON ?= python3
STACK  ?= dev

PY := venv/bin/python
WITH_TOOLS := . .state/env &&

.DEFAULT_GOAL := help
.PHONY: help setup up down verify cluster cluster-down preview test test-fast lint images bench docs

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-18s %s\n", $$1, $$2}'

PLATFORM = $(shell grep -qs 'kato:platform: kubernetes' Pulumi.$(STACK).yaml && echo kubernetes || echo up)

setup: ## install or build what the stack needs (Python environment, Pulumi, its provider, Docker)
	@$(PYTHON) -m dev.toolchain $(PLATFORM)

up: setup ## deploy the stack (STACK=dev) and print its URL
	@$(WITH_TOOLS) pulumi stack select --create $(STACK)
	@$(WITH_TOOLS) $(PY) -m dev.images ensure --stack $(STACK)
	@$(WITH_TOOLS) pulumi up --yes --skip-preview --stack $(STACK)
	@$(WITH_TOOLS) echo "Runs: $$(pulumi stack output runs --stack $(STACK))"
	@$(WITH_TOOLS) echo "URL:  $$(pulumi stack output url --stack $(STACK))"

down: setup ## remove the stack; on Docker VOLUMES=1 removes its data too, else it stays
	@$(WITH_TOOLS) pulumi destroy --yes --skip-preview --stack $(STACK) \
		$(if $(VOLUMES),,--exclude '**docker:index/volume:Volume::**-data')

verify: ## prove that the running stack keeps every session on one process; on Kubernetes under events
	@$(WITH_TOOLS) if [ $(PLATFORM) = kubernetes ]; \
		then kato-lb verify --namespace "$$(pulumi stack output namespace --stack $(STACK))"; \
		else kato-lb verify "$$(pulumi stack output url --stack $(STACK))"; fi

preview: setup ## preview the stack (STACK=prod) with the policy packs; needs no cluster
	@$(PYTHON) -m dev.toolchain kubernetes
	@$(WITH_TOOLS) pulumi stack select --create $(STACK)
	@$(WITH_TOOLS) $(PY) -m policies.settings policies/env/$(STACK).json
	@$(WITH_TOOLS) pulumi preview --stack $(STACK) --policy-pack policies/complete \
		--policy-pack-config policies/env/$(STACK).json

cluster: ## a real one-node Kubernetes on this machine, or the one of KUBECONFIG_FILE=...
	@$(PYTHON) -m dev.toolchain kubernetes
	@$(PY) -m dev.cluster up $(if $(KUBECONFIG_FILE),--kubeconfig $(KUBECONFIG_FILE))

cluster-down: ## end it and remove every trace of it
	@$(PYTHON) -m dev.cluster down

images: ## build every local image that the tests use
	@$(PYTHON) -m dev.toolchain test
	@$(PY) -m dev.images build

lint: ## ruff, mypy, and whether the generated docs are fresh
	@$(PYTHON) -m dev.toolchain python
	@venv/bin/ruff check .
	@venv/bin/ruff format --check .
	@venv/bin/mypy
	@$(PY) -m dev.docs --check

test-fast: lint ## lint and every test that needs neither Docker, Pulumi nor Go
	@$(PY) -m pytest --numprocesses auto tests/unit tests/components tests/policies \
		--ignore tests/policies/engine --ignore tests/components/definitions

test: ## everything, on real parts: Pulumi, Docker, Kubernetes, nginx, HAProxy
	@$(PYTHON) -m dev.toolchain test
	@$(MAKE) --no-print-directory images lint
	@$(WITH_TOOLS) $(PY) -m pytest --numprocesses auto tests/unit tests/components tests/policies
	@$(WITH_TOOLS) $(PY) -m pytest --durations 20 -m alone tests/integration
	@$(WITH_TOOLS) $(PY) -m pytest --durations 40 -m 'not alone' tests/integration \
		--verbose --numprocesses 2

BENCHES := dev.bench dev.bench.policies dev.bench.client dev.bench.monitoring

bench: ## speed against plain programs, side by side in one run; fails when any aim is missed
	@$(PYTHON) -m dev.toolchain test
	@$(PY) -m dev.images build
	@$(WITH_TOOLS) missed=0; for part in $(BENCHES); do $(PY) -m $$part || missed=1; done; exit $$missed

docs: ## write the generated parts of README and docs again
	@$(PY) -m dev.docs
