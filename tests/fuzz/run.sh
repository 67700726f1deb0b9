#!/usr/bin/env bash
# Runs one fuzz target from its seeds and from what earlier runs found. Ends with an error at the first input that crashes,
# hangs, leaks, asks for much memory at once, or costs more than its size allows (cost_oracle.h); the input is kept.
#
# usage: tests/fuzz/run.sh BUILD_FOLDER TARGET SECONDS     TARGET without _fuzz
set -euo pipefail
build=$1
target=${2}_fuzz
seconds=$3
corpus=$build/corpus/$target
mkdir -p "$corpus"
# What Arrow allocates is checked and counted too; it has an allocator of its own unless it is told.
export ARROW_DEFAULT_MEMORY_POOL=system
if [[ -d $build/seeds/large/$target ]]; then
  "$build/tests/fuzz/$target" "$build/seeds/large/$target"/*
fi
exec "$build/tests/fuzz/$target" \
  -max_total_time="$seconds" -max_len=131072 -timeout=25 -rss_limit_mb=3072 -malloc_limit_mb=1024 -print_final_stats=1 \
  -artifact_prefix="$build/" "$corpus" "$build/seeds/$target"
