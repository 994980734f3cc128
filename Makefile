# Every target does its own set-up: Node, npm packages and, where clusters are needed, the lab's tools. All of it is cached by version.
SHELL := /bin/bash
.DEFAULT_GOAL := help
NODE_VERSION := 24.21.0
CACHE := $(or $(PORTOLAN_CACHE),$(HOME)/.cache/portolan)
N ?= 2
SYNC ?= 1s

# The host's node when it is new enough, else npm's.
HOST_NODE := $(shell node -e 'const [a, b] = process.versions.node.split(".").map(Number); if (a > 22 || (a === 22 && b >= 19)) console.log(require("node:path").dirname(process.execPath))' 2>/dev/null)
NODE_HOME := $(CACHE)/node-$(NODE_VERSION)
NODE_BIN := $(or $(HOST_NODE),$(NODE_HOME)/node_modules/node/bin)
export PATH := $(NODE_BIN):$(PATH)

.PHONY: help demo demo-dapr demo-global demo-down test try bench fuzz conformance check format generate tools lab-up lab-down lab-status setup node-path

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## four real clusters, Portolan in each, and calls between them, step by step (./demo -h)
	@./demo

demo-dapr: ## the same clusters with Dapr and Redis: mesh and Dapr in one pod, step by step (./demo dapr -h)
	@./demo dapr

demo-global: ## two clusters and Services shared by annotation, as with Cilium's cluster mesh (./demo global -h)
	@./demo global

demo-down: ## remove the demos' clusters
	@./demo -u && ./demo global -u

test: setup check tools ## all tests, on real parts
	@npx vitest run

try: setup ## the offline commands on examples/, in ten seconds, without root or cluster
	@node cli/try.ts

bench: setup ## the figures of docs/benchmarks.md
	@node --expose-gc test/bench/compile.bench.ts
	@node test/bench/admission.bench.ts
	@node test/bench/mtls.bench.ts
	@node test/bench/balance.bench.ts
	@node test/bench/calls.bench.ts
	@node test/bench/clusters.bench.ts
	@node test/bench/first-call.bench.ts
	@node test/bench/passes.bench.ts
	@node test/bench/federation.bench.ts
	@node test/bench/names.bench.ts

fuzz: setup ## INPUTS odd inputs (INPUTS=1000000 SEED=…) for everything that reads what others wrote
	@node test/fuzz/main.ts --inputs $(or $(INPUTS),1000000) $(if $(SEED),--seed $(SEED))

conformance: setup ## the official suite for services of several clusters, in a checkout of yours (MCS_API=PATH, ARGS=-ginkgo.focus=…)
	@node test/conformance/run.ts $(ARGS)

check: setup ## types, lint, unused code
	@npm run --silent check

format: setup ## format and fix what can be fixed
	@npm run --silent format

generate: setup ## CRDs, schemas and reference pages from their sources
	@node api/generate.ts && node docs/generate.ts

tools: setup ## Kubernetes, Envoy and what else tests run: fetched and built, once
	@node test/lab/main.ts build

lab-up: setup ## start N clusters (N=2, or NAMES=east,west; SYNC=1s is the kubelets' syncFrequency)
	@node test/lab/main.ts up $(if $(NAMES),--names $(NAMES),--n $(N)) --sync $(SYNC)

lab-down: setup ## remove the lab's clusters without a trace
	@node test/lab/main.ts down

lab-status: setup ## name, state, address and kubeconfig of each cluster
	@node test/lab/main.ts status

node-path:
	@echo $(NODE_BIN)

setup: $(NODE_BIN)/node node_modules/.package-lock.json

$(NODE_HOME)/node_modules/node/bin/node:
	@command -v npm > /dev/null || { echo "this machine lacks Node 22.19 or newer, or npm to fetch one: see https://nodejs.org or apt-get install npm" >&2; exit 1; }
	@echo "make  Node $(NODE_VERSION) from npm: about 10 s, once"
	@mkdir -p $(CACHE) && rm -rf $(NODE_HOME).draft-$$PPID && npm install --silent --no-save --no-audit --no-fund --prefix $(NODE_HOME).draft-$$PPID node@$(NODE_VERSION)
	@mv -T $(NODE_HOME).draft-$$PPID $(NODE_HOME) 2> /dev/null || rm -rf $(NODE_HOME).draft-$$PPID

node_modules/.package-lock.json: package-lock.json | $(NODE_BIN)/node
	@echo "make  npm packages: about 10 s, once"
	@npm ci --silent
	@touch $@
