#!/usr/bin/env bash
# Proves that what ./dev package made runs on a bare Debian 12: no package is installed there, nothing of this tree is seen.
#
# usage: tests/bare/package.sh PACKAGE.tar.zst [--root DIR]
#
# Needs root and debootstrap. DIR (default /tmp/df_engine-bare-package) is made anew.
set -euo pipefail

package=$(realpath "$1")
root=/tmp/df_engine-bare-package
[[ ${2-} == --root ]] && root=$3

say() { printf '[bare] %s\n' "$*" >&2; }
[[ $(id -u) == 0 ]] || {
  say "needs root: debootstrap and chroot do"
  exit 1
}

unmount() { ! mountpoint -q "$root/proc" || umount "$root/proc"; }
trap unmount EXIT
unmount
rm -rf --one-file-system "$root"
debootstrap --variant=minbase bookworm "$root" >/dev/null
say "the root has $(chroot "$root" dpkg-query -f 'x\n' -W | wc -l) packages"
# The dynamic linker asks /proc where the program is.
mount -t proc proc "$root/proc"
mkdir -p "$root/opt"
(cd "$root/opt" && cmake -E tar xf "$package")
name=$(basename "$package" .tar.zst)
inside() { chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/bin:/bin /bin/bash -c "$1" </dev/null; }
inside "/opt/$name/bin/df_engine --version -v"
inside "cd /opt/$name/share/df_engine && mkdir -p build/demo && ../../bin/df_engine --num-cores 1 -c configs/parquet-to-otlp-v1.yaml"
say "it replays on a bare Debian 12"
