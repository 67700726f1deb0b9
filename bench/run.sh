#!/usr/bin/env bash
# Runs the benchmarks of the bench preset; ./dev bench builds it first. Arguments go to replay_bench run.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
source=${OTAP_BENCH_SOURCE:-$root/../shared/data/upstream-generator/parquet}
if [ ! -d "$source" ]; then
  echo "bench: $source is not there; using examples/data/corner/parquet, which is too small for meaningful ratios"
  source=$root/examples/data/corner/parquet
fi
work=${OTAP_BENCH_WORK:-$root/build/bench/data}
exec "$root/build/bench/replay_bench" run --source "$source" --engine "$root/build/bench/df_engine" --work "$work" "$@"
