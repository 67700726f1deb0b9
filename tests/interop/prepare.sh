#!/usr/bin/env bash
# Gets the other side of the interop checks and of ./dev bench io into .deps/interop: a Collector built from Go modules
# (collector/out/otelcol), Python packages (python/bin/python). Does nothing where both are up to date.
#
# usage: tests/interop/prepare.sh [python]     python: the packages only
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
peers=$root/.deps/interop

say() { printf '[interop] %s\n' "$*" >&2; }

# Runs a command and shows its words only where it fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  ((status == 0)) || cat "$log" >&2
  rm -f "$log"
  return $status
}

# A virtual environment with the packages of requirements.txt; made again when those change.
prepare_python() {
  if ! cmp -s "$here/requirements.txt" "$peers/python/requirements.txt"; then
    say "installing Python packages into $peers/python"
    rm -rf "$peers/python"
    python3 -m venv "$peers/python"
    quietly "$peers/python/bin/pip" install --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$peers/python/requirements.txt"
  fi
}

# The Collector of collector.yaml; built again when that changes. Without Go its checks are left out.
prepare_collector() {
  if cmp -s "$here/collector.yaml" "$peers/collector/collector.yaml"; then
    return
  fi
  if ! command -v go >/dev/null; then
    say "no Go here: the checks against the OpenTelemetry Collector are left out"
    return
  fi
  local version
  version=$(sed -n 's/.*otlpreceiver \(v[0-9.]*\)$/\1/p' "$here/collector.yaml")
  say "building an OpenTelemetry Collector $version (some minutes, once)"
  rm -rf "$peers/collector"
  mkdir -p "$peers/collector"
  export GOPATH=$peers/go GOBIN=$peers/go/bin GOFLAGS=-modcacherw
  quietly go install "go.opentelemetry.io/collector/cmd/builder@$version"
  (cd "$peers/collector" && quietly "$GOBIN/builder" --config "$here/collector.yaml")
  cp "$here/collector.yaml" "$peers/collector/collector.yaml"
}

mkdir -p "$peers"
prepare_python
[[ ${1-} == python ]] || prepare_collector
