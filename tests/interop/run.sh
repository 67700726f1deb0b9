#!/usr/bin/env bash
# Runs the interop checks with the programs of a build tree.
#
# usage: tests/interop/run.sh BUILD_DIR [schema] [--only TEXT] [--table]
#   schema: only the matrix of schemas, types, codecs and writers; needs no Go and no network once the packages are there
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
peers=$root/.deps/interop
build_dir=$1
shift

say() { printf '[interop] %s\n' "$*" >&2; }

if [[ ${1-} == schema ]]; then
  shift
  "$here/prepare.sh" python
  arguments=(--build "$build_dir" --work "$root/build/interop-schema")
  while (($#)); do
    case $1 in
      --only) arguments+=(--only "$2") && shift ;;
      --table) arguments+=(--table "$root/docs/schema-compatibility.md") ;;
      *) say "unknown argument '$1'" && exit 2 ;;
    esac
    shift
  done
  exec "$peers/python/bin/python" "$here/schema_matrix.py" "${arguments[@]}"
fi

"$here/prepare.sh"
arguments=(--build "$build_dir" --work "$root/build/interop")
[[ -x $peers/collector/out/otelcol ]] && arguments+=(--collector "$peers/collector/out/otelcol")
generator=$root/../shared/tools/otlp_generate.py
if [[ -f $generator ]]; then
  arguments+=(--generator "$generator")
else
  say "no generator beside the project: only the sample requests of examples/data are sent"
fi
while (($#)); do
  case $1 in
    --only) arguments+=(--only "$2") && shift ;;
    --table) arguments+=(--table "$root/docs/interop.md") ;;
    *) say "unknown argument '$1'" && exit 2 ;;
  esac
  shift
done
exec "$peers/python/bin/python" "$here/interop.py" "${arguments[@]}"
