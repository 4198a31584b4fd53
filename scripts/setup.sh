#!/usr/bin/env bash
# Installs what `make test` needs beyond Go, git, make and gcc: as root on Debian by
# itself; elsewhere it lists what is missing and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

GOLANGCI_LINT=v2.15.0
gobin="$(go env GOPATH)/bin"
missing=()

have() { command -v "$1" >/dev/null 2>&1; }
have_postgres() { have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }
# The tests take the first Python that has a module: the one on the PATH, or the system's.
have_python() {
  local python
  for python in python3 /usr/bin/python3; do
    "$python" -c "import $1" >/dev/null 2>&1 && return 0
  done
  return 1
}
can_install() { [ "$(id -u)" = 0 ] && have apt-get; }

packages=()
have chromium || have chromium-browser || have google-chrome || packages+=(chromium)
have_postgres || packages+=(postgresql)
have curl || packages+=(curl)
have npm || packages+=(nodejs npm)
for module in requests flask django cryptography; do
  have_python "$module" || packages+=(python3 "python3-$module")
done
have openssl || packages+=(openssl)

if [ ${#packages[@]} -gt 0 ]; then
  if can_install; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  else
    missing+=("${packages[@]}")
  fi
fi

if [ ! -x "$gobin/golangci-lint" ] || ! "$gobin/golangci-lint" version 2>/dev/null | grep -q "${GOLANGCI_LINT#v}"; then
  echo "setup: building golangci-lint $GOLANGCI_LINT (a few minutes, once)"
  GOFLAGS= go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$GOLANGCI_LINT"
fi

if [ ${#missing[@]} -gt 0 ]; then
  printf 'setup: install these, then run make test again: %s\n' "${missing[*]}" >&2
  printf 'setup: plain "go test ./..." runs without them and says what it skips.\n' >&2
  exit 1
fi

node=internal/e2e/node
if [ ! -d "$node/node_modules" ] || [ "$node/package-lock.json" -nt "$node/node_modules" ]; then
  npm ci --prefix "$node" --silent
  touch "$node/node_modules"
fi
