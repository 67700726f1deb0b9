#!/usr/bin/env bash
# Installs what the build needs and nothing that is already there: packages of Debian 12 by name
# (apt-packages.txt) and Arrow C++ 26 out of the pyarrow wheel (arrow-wheel.txt, checked by hash).
#
# usage: deps/bootstrap.sh [--with tidy] [--with fuzz] [--check]
#   --with GROUP   also the packages of GROUP
#   --check        change nothing; exit 1 and name what is missing
set -euo pipefail

deps_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root_dir=$(dirname "$deps_dir")
arrow_dir=$root_dir/.deps/arrow
groups=" build "
check_only=false

say() { printf 'bootstrap: %s\n' "$*" >&2; }
fail() {
  say "$@"
  exit 1
}

while (($#)); do
  case $1 in
    --with)
      (($# > 1)) || fail "--with needs a group: tidy or fuzz"
      case $2 in
        tidy | fuzz) groups+="$2 " ;;
        *) fail "no group '$2'; there are tidy and fuzz" ;;
      esac
      shift
      ;;
    --check) check_only=true ;;
    *) fail "unknown argument '$1' (usage: deps/bootstrap.sh [--with tidy|fuzz] [--check])" ;;
  esac
  shift
done

# Prints "name version" of every package of the wanted groups.
wanted_packages() {
  local name version group
  while read -r name version group; do
    [[ -z $name || $name == \#* ]] && continue
    [[ $groups == *" $group "* ]] && printf '%s %s\n' "$name" "$version"
  done <"$deps_dir/apt-packages.txt"
}

# 1:3.40.1-2+deb12u2 -> 3.40.1, and 9.1.0+ds1-2 -> 9.1.0
upstream_version() { sed -E 's/^[0-9]+://; s/-[^-]*$//; s/[+~].*$//' <<<"$1"; }

# Sets `missing` (names) and `differing` (name, found, wanted).
inspect_packages() {
  missing=()
  differing=()
  local name wanted found
  local -A installed=()
  while IFS=$'\t' read -r status name found; do
    [[ $status == ii* ]] && installed[${name%%:*}]=$found
  done < <(dpkg-query -W -f '${db:Status-Abbrev}\t${binary:Package}\t${Version}\n' 2>/dev/null)
  while read -r name wanted; do
    found=${installed[$name]-}
    if [[ -z $found ]]; then
      missing+=("$name")
    elif [[ $wanted != '*' && $(upstream_version "$found") != "$wanted" ]]; then
      differing+=("$name is $found, tested with $wanted")
    fi
  done < <(wanted_packages)
}

# Prints the words that run a command as root, nothing for root itself; fails where neither way is open.
root_prefix() {
  if [[ $(id -u) == 0 ]]; then
    return 0
  fi
  command -v sudo >/dev/null || return 1
  if sudo -n true 2>/dev/null || [[ -t 0 ]]; then
    echo sudo
    return 0
  fi
  return 1
}

# Runs a command and shows its words only where it fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" </dev/null >"$log" 2>&1 || status=$?
  ((status == 0)) || cat "$log" >&2
  rm -f "$log"
  return $status
}

install_packages() {
  inspect_packages
  if ((${#missing[@]})); then
    $check_only && fail "missing packages: ${missing[*]}"
    local prefix
    if ! prefix=$(root_prefix); then
      say "these packages are missing and this user can neither be root nor use sudo."
      say "Ask an administrator for:"
      printf '\n  apt-get update && apt-get install --no-install-recommends %s\n\n' "${missing[*]}" >&2
      exit 1
    fi
    say "installing ${#missing[@]} packages: ${missing[*]}"
    local -a run=(env DEBIAN_FRONTEND=noninteractive)
    [[ -n $prefix ]] && run=("$prefix" "${run[@]}")
    quietly "${run[@]}" apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update
    quietly "${run[@]}" apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
      install --yes --no-install-recommends "${missing[@]}"
    inspect_packages
    ((${#missing[@]} == 0)) || fail "apt-get ended well but these are still missing: ${missing[*]}"
  fi
  local difference
  for difference in "${differing[@]}"; do
    say "note: $difference"
  done
}

# True where CMake finds an Arrow of the system that is new enough.
system_arrow() {
  command -v cmake >/dev/null || return 1
  # Nothing to ask CMake where no package file of Arrow exists at all.
  [[ -n ${CMAKE_PREFIX_PATH-}${Arrow_DIR-}${Arrow_ROOT-} ]] ||
    compgen -G '/usr/lib/cmake/Arrow/ArrowConfig.cmake' >/dev/null ||
    compgen -G '/usr/lib*/*/cmake/Arrow/ArrowConfig.cmake' >/dev/null ||
    compgen -G '/usr/lib64/cmake/Arrow/ArrowConfig.cmake' >/dev/null ||
    compgen -G '/usr/local/lib*/cmake/Arrow/ArrowConfig.cmake' >/dev/null || return 1
  local scratch
  scratch=$(mktemp -d)
  local found=1
  cmake -S "$deps_dir/system_arrow" -B "$scratch" >/dev/null 2>&1 && found=0
  rm -rf "$scratch"
  return $found
}

install_arrow() {
  local machine wheel_hash
  machine=$(uname -m)
  # The first hash of the list is the x86_64 wheel, the second the aarch64 wheel.
  case $machine in
    x86_64) wheel_hash=$(grep -o 'sha256:[0-9a-f]*' "$deps_dir/arrow-wheel.txt" | sed -n '1s/sha256://p') ;;
    aarch64) wheel_hash=$(grep -o 'sha256:[0-9a-f]*' "$deps_dir/arrow-wheel.txt" | sed -n '2s/sha256://p') ;;
    *) fail "no Arrow wheel is pinned for $machine: install Arrow C++ 26 with its CMake files and try again" ;;
  esac
  if [[ -f $arrow_dir/wheel.sha256 && $(<"$arrow_dir/wheel.sha256") == "$wheel_hash" ]]; then
    return 0
  fi
  if system_arrow; then
    say "the system has Arrow C++ 26 or newer; the wheel is not needed"
    return 0
  fi
  $check_only && fail "Arrow C++ 26 is missing: neither on the system nor in $arrow_dir"

  local scratch
  mkdir -p "$root_dir/.deps"
  scratch=$(mktemp -d "$root_dir/.deps/unpack.XXXXXX")
  # shellcheck disable=SC2064 # the folder's name is needed now, not at exit
  trap "rm -rf '$scratch'" EXIT
  say "fetching pyarrow 26.0.1 for $machine with pip"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --require-hashes --platform "manylinux_2_28_$machine" --python-version 3.11 \
    --dest "$scratch" -r "$deps_dir/arrow-wheel.txt" </dev/null >&2
  local wheel
  wheel=$(compgen -G "$scratch/pyarrow-*.whl") || fail "pip ended well but left no wheel"
  printf '%s  %s\n' "$wheel_hash" "$wheel" | sha256sum --check --quiet >&2 ||
    fail "the wheel's hash is not the recorded one: refusing to use it"

  say "unpacking Arrow's headers and libraries into .deps/arrow"
  unzip -q "$wheel" 'pyarrow/include/*' 'pyarrow/libarrow.so.*' 'pyarrow/libarrow_compute.so.*' \
    'pyarrow/libarrow_s3.so.*' 'pyarrow/libparquet.so.*' '*/licenses/*' -d "$scratch"
  mkdir -p "$scratch/arrow/lib" "$scratch/arrow/licenses"
  mv "$scratch/pyarrow/include" "$scratch/arrow/include"
  mv "$scratch"/pyarrow/lib*.so.* "$scratch/arrow/lib/"
  mv "$scratch"/pyarrow-*.dist-info/licenses/* "$scratch/arrow/licenses/"
  printf '%s\n' "$wheel_hash" >"$scratch/arrow/wheel.sha256"
  rm -rf "$arrow_dir"
  mv "$scratch/arrow" "$arrow_dir"
}

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
  install_packages
else
  say "this is no Debian: install what deps/README.md lists by hand (Debian's names: $(
    wanted_packages | cut -d' ' -f1 | tr '\n' ' '))"
fi
install_arrow
