#!/usr/bin/env bash
# Runs the benchmarks of the bench preset; ./dev bench builds it first. Arguments go to replay_bench run; with `engine` as
# the first one, to the programs that measure the engine and the columns instead. `io` measures OTLP, OTAP and Parquet going in
# and out beside what others do with the same bytes in the same run.
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
if [ "${1-}" = io ]; then
  "$root/tests/interop/prepare.sh"
  python=$root/.deps/interop/python/bin/python
  answers=$root/../shared/data/upstream-steady
  if [ ! -d "$answers" ]; then
    echo "bench: $answers is not there; using examples/data/corner, which is too small for meaningful ratios"
    answers=$root/examples/data/corner
  fi
  result=0
  echo "== OTLP requests of $(basename "$answers"), one core: ours, then upb, the C core of the Python protobuf package"
  for signal in logs traces metrics; do
    "$build/otlp_bench" "$signal" "$answers/$signal.otlp" || result=1
    "$python" "$root/tests/interop/upb_speed.py" "$signal" "$answers/$signal.otlp" || result=1
  done
  echo "== OTAP messages of the same requests, one core"
  for signal in logs traces metrics; do
    "$build/otap_wire_bench" "$signal" "$answers/$signal.otlp" || result=1
  done
  echo "== Parquet, one thread: our writer beside Arrow's as pyarrow uses it"
  "$build/parquet_write_bench" --source "$answers/parquet" --work "$root/build/bench/data/write" || result=1
  collector=$root/.deps/interop/collector/out/otelcol
  if [ -x "$collector" ]; then
    echo "== OTLP over gRPC, forwarded undecoded"
    "$python" "$root/bench/forward.py" --build "$build" --collector "$collector" \
      --requests "$answers/logs.otlp" || result=1
  fi
  exit "$result"
fi
source=${OTAP_BENCH_SOURCE:-$root/../shared/data/upstream-generator/parquet}
if [ ! -d "$source" ]; then
  echo "bench: $source is not there; using examples/data/corner/parquet, which is too small for meaningful ratios"
  source=$root/examples/data/corner/parquet
fi
work=${OTAP_BENCH_WORK:-$root/build/bench/data}
exec "$root/build/bench/replay_bench" run --source "$source" --engine "$root/build/bench/df_engine" --work "$work" "$@"
