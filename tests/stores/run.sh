#!/usr/bin/env bash
# Replays the known answers from servers of object stores with the programs of a build tree.
#
# usage: tests/stores/run.sh BUILD_DIR [--store NAME] [--seed N]
# Servers go to .deps/stores: moto by pip, Azurite by npm, versitygw and fake-gcs-server by go (minutes, once). What cannot be
# fetched is named and left out.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
servers=$root/.deps/stores
build_dir=$1
shift

say() { printf '[stores] %s\n' "$*" >&2; }

mkdir -p "$servers"
if [[ ! -x $servers/python/bin/moto_server ]]; then
  say "fetching moto and the clients with pip"
  python3 -m venv "$servers/python"
  "$servers/python/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
fi

arguments=(--build "$build_dir" --work "$root/build/stores")
azurite=$servers/azurite/node_modules/.bin/azurite-blob
if [[ ! -x $azurite ]] && command -v npm >/dev/null; then
  say "fetching Azurite with npm"
  npm install --silent --prefix "$servers/azurite" azurite@3.37.0 >&2 || say "npm cannot fetch Azurite"
fi
[[ -x $azurite ]] && arguments+=(--azurite "$azurite")

# go_server PROGRAM PACKAGE OPTION
go_server() {
  local program=$servers/go/$1
  if [[ ! -x $program ]] && command -v go >/dev/null; then
    say "building $1 with go: this takes minutes"
    GOBIN=$servers/go go install "$2" >&2 || say "go cannot build $1"
  fi
  [[ -x $program ]] && arguments+=("$3" "$program")
  return 0
}
go_server versitygw github.com/versity/versitygw/cmd/versitygw@v1.8.0 --versitygw
go_server fake-gcs-server github.com/fsouza/fake-gcs-server@v1.56.1 --gcs

exec "$servers/python/bin/python" "$here/stores.py" "${arguments[@]}" "$@"
