# make test is the whole of CI. It installs what it needs (as root on Debian) or says what is missing.

GO      ?= go
NODE    := internal/e2e/node
PKGS    := ./...
GOBIN   := $(shell $(GO) env GOPATH)/bin
ROUNDS  ?= 1000
KILLS   ?= 50

export HUMANOPS_TEST_REQUIRE ?=

.PHONY: build test setup generate vet lint race heavy bench clean

build: ## the binary, in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/humanops-mcp ./cmd/humanops-mcp

test: setup ## everything: a skipped test is a failure here
	$(MAKE) HUMANOPS_TEST_REQUIRE=1 vet lint race heavy

setup: ## install what the tests need
	./scripts/setup.sh

generate: ## SQL, templates and golden files, from their sources
	cd internal/store && $(GOBIN)/sqlc generate
	cd internal/web && $(GOBIN)/templ generate
	$(GO) test ./... -run 'Golden|Generated' -update

vet:
	$(GO) vet $(PKGS)
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }

lint:
	$(GOBIN)/golangci-lint run --timeout 10m

race: ## every test under the race detector
	$(GO) test -race -timeout 20m $(PKGS)

heavy: ## races, kills, browser and protocol tests at full size, without the detector
	HUMANOPS_RACE_ROUNDS=$(ROUNDS) $(GO) test -count=1 -timeout 25m -run 'Race|Kill' ./internal/...
	HUMANOPS_E2E=1 HUMANOPS_KILLS=$(KILLS) $(GO) test -count=1 -timeout 20m ./internal/e2e/...

bench: ## ratios against a baseline measured in the same run
	$(GO) test -run '^$$' -bench . -benchtime 2s -timeout 20m ./internal/e2e/bench/

clean:
	rm -rf bin
