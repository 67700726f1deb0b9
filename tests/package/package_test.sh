#!/usr/bin/env bash
# What cmake --install makes runs from wherever it is put, with its own libraries and nothing of the build.
#
# usage: package_test.sh BUILD_TREE CMAKE
set -euo pipefail

build=$1
cmake=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "package_test: $*" >&2
  exit 1
}

"$cmake" --install "$build" --prefix "$work/first" >"$work/install.log" || {
  cat "$work/install.log" >&2
  fail "the installation failed"
}
mv "$work/first" "$work/moved to here"
cd "$work/moved to here"

# Only the C library may come from the system.
trace=$(env -i LD_TRACE_LOADED_OBJECTS=1 bin/df_engine)
foreign=$(awk '$2 == "=>" && $3 !~ "^/tmp" { print $1 }' <<<"${trace//$work/\/tmp}" |
  grep -vE '^lib(c|m|dl|rt|pthread|resolv|util)\.so' || true)
[[ -z $foreign ]] || fail "libraries of the system or of the build are used: $foreign"
grep -q "not found" <<<"$trace" && fail "libraries are missing: $trace"

run() { env -i HOME="$work" bin/df_engine "$@"; }
[[ $(run --version) =~ ^df_engine\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "found version '$(run --version)'"
details=$(run --version -v)
for name in commit compiler Arrow OpenSSL nghttp2 Zstandard; do
  grep -qE "^  $name +[^ ]" <<<"$details" || fail "--version -v does not tell $name: $details"
done
run -v -c none.yaml >/dev/null 2>&1 && fail "-v without --version is taken without a word"
[[ -s share/doc/df_engine/LICENSE ]] || fail "the licence is missing"
[[ -s share/df_engine/configs/parquet-to-otlp-v1.yaml ]] || fail "the documents are missing"

# A replay, started in the folder of the examples.
cd share/df_engine
mkdir -p build/demo
env -i HOME="$work" ../../bin/df_engine --num-cores 1 -c configs/parquet-to-otlp-v1.yaml >"$work/replay.log" 2>&1 || {
  cat "$work/replay.log" >&2
  fail "the replay failed"
}
for signal in logs metrics traces; do
  [[ -s build/demo/$signal-0.otlp ]] || fail "nothing was replayed of $signal"
done
echo "the installed program runs from '$work/moved to here'"
