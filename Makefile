# make test is the whole of CI. It installs what it needs (as root on Debian) or says what is missing.

GO     ?= go
SUITE  := $(GO) run ./scripts/suite
PINNED := $(GO) run humanops-mcp/scripts/pinned

# make test: rounds of each race, kills of each kind. make soak: the same at full size, how
# long hostile load lasts, in seconds, and how long each fuzz target is fed.
ROUNDS       ?= 200
KILLS        ?= 20
SOAK_ROUNDS  ?= 1000
SOAK_KILLS   ?= 200
SOAK_HOSTILE ?= 60
SOAK_FUZZ    ?= 60s

export GO
export HUMANOPS_TEST_REQUIRE ?=

.PHONY: help build test setup generate golden vet lint suite history races soak fuzz bench clean

help: ## this list; times are rough, of two cores with nothing else to do
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## the binary, in bin/ (20 s)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags="-s -w" -o bin/humanops-mcp ./cmd/humanops-mcp

test: setup ## everything that CI runs: setup, vet, lint, suite, history, races (14 min; 18 min on a bare machine)
	$(MAKE) HUMANOPS_TEST_REQUIRE=1 vet lint suite history races

setup: ## install what the tests need, and prove that it works (10 s; 5 min on a bare machine)
	./scripts/setup.sh

# The tests that are named TestGolden, in the packages that have such tests.
GOLDEN = $(shell $(GO) list -f '{{.TestImports}} {{.XTestImports}} {{.ImportPath}}' ./... | awk '/humanops-mcp\/internal\/golden[] ].* / {print $$NF}')

generate: ## SQL, templates and golden files, from their sources (20 s; 4 min the first time)
	cd internal/store && $(PINNED) sqlc generate
	cd internal/web && $(PINNED) templ generate
	$(MAKE) golden

# The list of endpoints is Go, and what comes after it is made with it.
golden: ## golden files alone (15 s)
	HUMANOPS_TEST_UPDATE=1 $(GO) test -count=1 -run '^TestGolden' ./internal/arch/endpoints
	HUMANOPS_TEST_UPDATE=1 $(GO) test -count=1 -run '^TestGolden' $(GOLDEN)

vet: ## go vet and gofmt (20 s)
	$(GO) vet ./...
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }

lint: ## golangci-lint (40 s)
	$(PINNED) golangci-lint run --timeout 10m

# Races, which do many rounds, and what looks at long histories are left to targets of their
# own: under the detector they would be ten times as slow. The end-to-end tests mostly wait,
# so more packages run than there are cores.
packages_with = $(shell git grep -l '^func $(1)' -- '*_test.go' | xargs -n 1 dirname | sort -u | sed 's,^,./,')
RACE_PACKAGES = $(call packages_with,TestRace)

suite: ## every test but those two, under the race detector, with browser, clients and kills (11 min)
	HUMANOPS_E2E=1 HUMANOPS_KILLS=$(KILLS) $(SUITE) -race -count=1 -p 3 -parallel 6 -timeout 30m -skip '^Test(Race|History)' ./...

history: ## what is asked of long histories, on both databases (1 min)
	$(SUITE) -count=1 -p 3 -timeout 30m -run '^TestHistory' $(call packages_with,TestHistory)

races: ## the races, ROUNDS of each, on both databases (1 min)
	HUMANOPS_RACE_ROUNDS=$(ROUNDS) $(SUITE) -count=1 -p 3 -timeout 60m -run '^TestRace' $(RACE_PACKAGES)

soak: setup ## before a larger change is merged: races, kills, hostile load and fuzzing at full size, on both databases (35 min)
	$(MAKE) HUMANOPS_TEST_REQUIRE=1 races ROUNDS=$(SOAK_ROUNDS)
	HUMANOPS_TEST_REQUIRE=1 HUMANOPS_RACE_ROUNDS=50 $(SUITE) -race -count=1 -p 3 -timeout 60m -run '^TestRace' $(RACE_PACKAGES)
	HUMANOPS_TEST_REQUIRE=1 HUMANOPS_E2E=1 HUMANOPS_KILLS=$(SOAK_KILLS) $(SUITE) -count=1 -parallel 8 -timeout 120m -run '^TestKill' ./internal/e2e
	HUMANOPS_TEST_REQUIRE=1 HUMANOPS_E2E=1 HUMANOPS_HOSTILE_SECONDS=$(SOAK_HOSTILE) $(SUITE) -count=1 -timeout 60m -run '^TestHostile' ./internal/e2e
	$(MAKE) fuzz

fuzz: ## every fuzz target for SOAK_FUZZ (6 min)
	@git grep -o '^func Fuzz[A-Za-z0-9_]*' -- '*_test.go' | sed 's,^\(.*\)/[^/]*:func \(.*\),\1 \2,' | while read -r folder name; do \
	  echo "fuzz: $$name in $$folder for $(SOAK_FUZZ)"; \
	  $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(SOAK_FUZZ) -fuzzminimizetime 2s "./$$folder" || exit 1; \
	done

# Two houses are filled for it, of a thousand and of BENCH_TASKS tasks; HUMANOPS_BENCH_POSTGRES=1
# has them on PostgreSQL.
BENCH_TASKS ?= 1000000

bench: ## ratios in one run, against baselines and of a long history; writes docs/performance.md (25 min, 6 GB)
	HUMANOPS_BENCH_TASKS=$(BENCH_TASKS) $(GO) test -run '^$$' -bench . -benchtime 2s -timeout 60m ./internal/e2e/bench/ | $(GO) run ./scripts/performance "make bench" docs/performance.md

clean: ## away with what was built (1 s)
	rm -rf bin .tools
