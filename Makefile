# make test is the whole of CI. It installs what it needs (as root on Debian) or says what is missing.

GO     ?= go
SUITE  := $(GO) run ./scripts/suite
PINNED := $(GO) run humanops-mcp/scripts/pinned
ROUNDS ?= 1000
KILLS  ?= 200

export GO
export HUMANOPS_TEST_REQUIRE ?=

.PHONY: help build test setup generate golden vet lint suite soak bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## the binary, in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/humanops-mcp ./cmd/humanops-mcp

test: setup ## everything that CI runs
	$(MAKE) HUMANOPS_TEST_REQUIRE=1 vet lint suite

setup: ## install what the tests need, and prove that it works
	./scripts/setup.sh

# The tests that are named TestGolden, in the packages that have such tests.
GOLDEN = $(shell $(GO) list -f '{{.TestImports}} {{.XTestImports}} {{.ImportPath}}' ./... | awk '/humanops-mcp\/internal\/golden[] ].* / {print $$NF}')

generate: ## SQL, templates and golden files, from their sources
	cd internal/store && $(PINNED) sqlc generate
	cd internal/web && $(PINNED) templ generate
	$(MAKE) golden

# The list of endpoints is Go, and what comes after it is made with it.
golden: ## golden files alone
	HUMANOPS_TEST_UPDATE=1 $(GO) test -count=1 -run '^TestGolden' ./internal/arch/endpoints
	HUMANOPS_TEST_UPDATE=1 $(GO) test -count=1 -run '^TestGolden' $(GOLDEN)

vet: ## go vet and gofmt
	$(GO) vet ./...
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }

lint: ## golangci-lint
	$(PINNED) golangci-lint run --timeout 10m
