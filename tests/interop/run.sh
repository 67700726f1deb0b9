#!/usr/bin/env bash
# Runs the interop checks with the programs of a build tree.
#
# usage: tests/interop/run.sh BUILD_DIR [schema|catalogs|tasks] [--only TEXT] [--table]
#   schema: only the matrix of schemas, types, codecs and writers; needs no Go and no network once the packages are there
#   catalogs: only lakes whose files a plan, DuckLake or Delta names; needs no Go either
#   tasks: only the tasks of an engineer at night, one line each, with their milliseconds; needs no Go either
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

if [[ ${1-} == tasks ]]; then
  shift
  "$here/prepare.sh" python
  arguments=(--build "$build_dir")
  [[ -d $root/../shared ]] && arguments+=(--shared "$root/../shared")
  exec "$peers/python/bin/python" "$here/tasks.py" "${arguments[@]}" "$@"
fi

if [[ ${1-} == catalogs ]]; then
  shift
  python=$peers/catalogs
  if ! cmp -s "$here/catalogs-requirements.txt" "$python/requirements.txt"; then
    say "installing Python packages into $python"
    rm -rf "$python"
    python3 -m venv "$python"
    "$python/bin/pip" install --quiet --disable-pip-version-check -r "$here/catalogs-requirements.txt"
    cp "$here/catalogs-requirements.txt" "$python/requirements.txt"
  fi
  exec "$python/bin/python" "$here/catalogs.py" --build "$build_dir" --work "$root/build/interop-catalogs" "$@"
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
