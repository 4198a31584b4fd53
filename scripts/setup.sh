#!/usr/bin/env bash
# Installs what `make test` needs beyond Go, git and make, as root on Debian by itself, and
# proves that each works. Elsewhere it lists what is missing and fails. The list, and how
# tests find the same programs, is in internal/toolchain.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=$(command -v "${GO:-go}") || { echo 'setup: Go is not on the PATH; install the version that go.mod names' >&2; exit 1; }
export GO
exec "$GO" run ./scripts/setup
