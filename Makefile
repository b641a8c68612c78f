# Two commands matter: `make test` and `make drill`. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

VENV := .venv
ENVOY_PACKAGE_BIN = $(firstword $(wildcard $(VENV)/lib/python3*/site-packages/envoy/_bin/envoy))
NODE_STAMP := node_modules/.isthmus-stamp
GEN_STAMP := protos/gen/.stamp

.PHONY: help setup gen build check lint format types test golden wasm clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 22

setup: $(NODE_STAMP) $(GEN_STAMP) envoy-bin ## Install what is needed, pinned: Node 24, packages, Envoy

$(NODE_STAMP): package.json package-lock.json .npmrc .taprc
	@command -v npm >/dev/null || { echo "make: npm is missing. Install Node.js 20 or newer, with npm (Debian: apt-get install nodejs npm)." >&2; exit 2; }
	npm ci --loglevel=error
	node --version
	tap build >/dev/null
	touch $@

$(GEN_STAMP): $(NODE_STAMP) $(wildcard protos/*.ts)
	node protos/gen.ts
	touch $@

gen: $(GEN_STAMP) ## Generate the Envoy API descriptors and types from the npm package's protos

.PHONY: envoy-bin
envoy-bin:
	@envoy/install.sh

types: $(NODE_STAMP) $(GEN_STAMP) ## Check types
	tsc --noEmit

lint: $(NODE_STAMP) ## Lint and check format
	biome check .

format: $(NODE_STAMP) ## Format in place
	biome check --write .

test: setup ## Run the tests
	tap

golden: setup ## Rewrite the golden files; read the difference before you commit it
	UPDATE_GOLDEN=1 tap test/translate/golden.test.ts

wasm: $(NODE_STAMP) ## Compile the trail filters of an example policy into dist/wasm, and say how large they are
	tsc -p wasm
	node wasm/build.ts

check: types lint test ## All that CI runs but for the drill

clean: ## Remove what was built or installed, but for the sources
	rm -rf node_modules .venv .tap dist protos/gen drill-report

.PHONY: bench-index
bench-index: $(NODE_STAMP) ## Measure the index: build, one event of each kind, memory, against a full scan
	node bench/index.ts --json .cache/bench/index.json
