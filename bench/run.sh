#!/usr/bin/env bash
# Runs the benchmarks of the bench preset; ./dev bench builds it first. Arguments go to replay_bench run; with `engine` as
# the first one, to the programs that measure the engine and the columns instead.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=${DF_BUILD_ROOT:-$root/build}/bench
if [ "${1-}" = engine ]; then
  shift
  result=0
  for program in engine_bench otap_bench; do
    if [ -x "$build/$program" ]; then
      echo "== $program"
      "$build/$program" "$@" || result=1
    fi
  done
  exit "$result"
fi
source=${OTAP_BENCH_SOURCE:-$root/../shared/data/upstream-generator/parquet}
if [ ! -d "$source" ]; then
  echo "bench: $source is not there; using examples/data/corner/parquet, which is too small for meaningful ratios"
  source=$root/examples/data/corner/parquet
fi
work=${OTAP_BENCH_WORK:-$root/build/bench/data}
exec "$root/build/bench/replay_bench" run --source "$source" --engine "$root/build/bench/df_engine" --work "$work" "$@"
