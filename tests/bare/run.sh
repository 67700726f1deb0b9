#!/usr/bin/env bash
# Proves on a bare Debian 12 that a fresh clone builds, passes its tests and runs its demo.
#
# usage: tests/bare/run.sh [--root DIR] [--keep] [COMMAND..]
#   --root DIR   where the Debian is made, or found again (default /tmp/df_engine-bare)
#   --keep       use the packages that an earlier run installed there instead of starting from nothing
#   COMMAND      what to run in the clone (default: "./dev test" and then "./dev demo")
#
# Needs root and debootstrap. The clone is of the last commit of this repository. Settings of this machine without
# which nothing could be fetched (apt, pip, certificates, proxy variables) are taken along; its packages are not.
set -euo pipefail

root=/tmp/df_engine-bare
keep=false
while (($#)); do
  case $1 in
    --root)
      root=$2
      shift
      ;;
    --keep) keep=true ;;
    *) break ;;
  esac
  shift
done
commands=("$@")
((${#commands[@]})) || commands=("./dev test" "./dev demo")
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { printf '[bare] %s\n' "$*" >&2; }

[[ $(id -u) == 0 ]] || {
  say "needs root: debootstrap and chroot do"
  exit 1
}

unmount() {
  mountpoint -q "$root/proc" && umount "$root/proc"
  mountpoint -q "$root/dev" && umount "$root/dev"
  return 0
}
trap unmount EXIT

make_root() {
  if [[ ! -e $root.pristine.tar ]]; then
    say "making a minimal Debian 12 with git and ca-certificates in it"
    rm -rf "$root"
    debootstrap --variant=minbase --include=git,ca-certificates bookworm "$root" >/dev/null
    tar -C "$root" -cf "$root.pristine.tar" .
  elif ! $keep || [[ ! -d $root/usr ]]; then
    say "unpacking the minimal Debian 12 of $root.pristine.tar"
    unmount
    rm -rf --one-file-system "$root"
    mkdir -p "$root"
    tar -C "$root" -xf "$root.pristine.tar"
  fi
}

take_settings_along() {
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  cp /etc/hosts "$root/etc/hosts"
  rm -f "$root/etc/apt/sources.list"
  mkdir -p "$root/etc/apt/sources.list.d"
  local file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
    [[ -e $file ]] && cp "$file" "$root$file"
  done
  for file in /etc/apt/apt.conf.d/*; do
    grep -qiE 'proxy|check-date|check-valid' "$file" && cp "$file" "$root/etc/apt/apt.conf.d/"
  done
  [[ -e /etc/pip.conf ]] && cp /etc/pip.conf "$root/etc/pip.conf"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  mkdir -p "$root/usr/local/share/ca-certificates"
  cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
}

make_root
take_settings_along
mkdir -p "$root/proc" "$root/dev"
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
mountpoint -q "$root/dev" || mount --bind /dev "$root/dev"

say "cloning $(git -C "$repository" rev-parse --short HEAD)"
rm -rf "$root/root/df_engine" "$root/root/df_engine.git"
git clone --quiet --bare "$repository" "$root/root/df_engine.git"

variables=(HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin CI=true)
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY PIP_CERT PIP_INDEX_URL \
  PIP_DEFAULT_TIMEOUT SSL_CERT_FILE; do
  [[ -n ${!name-} ]] && variables+=("$name=${!name}")
done
inside() { chroot "$root" /usr/bin/env -i "${variables[@]}" /bin/bash -c "$1" </dev/null; }

inside 'git clone --quiet /root/df_engine.git /root/df_engine'
say "the root has $(inside 'dpkg-query -f "x\n" -W' | wc -l) packages before the first command"
for command in "${commands[@]}"; do
  say "running $command"
  started=$SECONDS
  inside "cd /root/df_engine && $command"
  say "$command passed in $((SECONDS - started)) s"
done
