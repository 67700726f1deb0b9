#!/usr/bin/env bash
# Installs, runs, reloads, upgrades, removes and purges the package for Debian in a bare Debian 12.
#
# usage: tests/bare/deb.sh PACKAGE.deb [--root DIR]
#
# Needs root and debootstrap. DIR (default /tmp/df_engine-bare-deb) is made anew. There is no init system in a chroot: the
# command lines of the unit are run as systemd runs them, by its user and with its environment.
set -euo pipefail

package=$(realpath "$1")
root=/tmp/df_engine-bare-deb
[[ ${2-} == --root ]] && root=$3

say() { printf '[bare] %s\n' "$*" >&2; }
fail() {
  say "$*"
  exit 1
}
[[ $(id -u) == 0 ]] || fail "needs root: debootstrap and chroot do"

service=""
finish() {
  [[ -z $service ]] || kill "$service" 2>/dev/null || true
  ! mountpoint -q "$root/proc" || umount "$root/proc"
}
trap finish EXIT
finish
rm -rf --one-file-system "$root"
debootstrap --variant=minbase --include=adduser,ca-certificates bookworm "$root" >/dev/null
mount -t proc proc "$root/proc"
inside() { chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin /bin/bash -c "$1" </dev/null; }

cp "$package" "$root/first.deb"
inside "dpkg -i /first.deb" >/dev/null
inside "getent passwd df_engine" | grep -q nologin || fail "the user is missing"
inside "df_engine --version" >/dev/null
unit=$root/lib/systemd/system/df_engine.service
line() { sed -n "s/^$1=//p" "$unit" | head -n "${2-1}" | tail -n 1; }

# As systemd would: the folders of the unit, its user, a socket that is told of readiness.
inside "install -d -o df_engine -g df_engine /var/lib/df_engine /var/cache/df_engine"
notified=$root/var/lib/df_engine/notified
python3 - "$root/run/notify" "$notified" <<'PYTHON' &
import os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
os.umask(0)
listener.bind(sys.argv[1])
while True:
    message = listener.recv(4096)
    with open(sys.argv[2], "ab") as told:
        told.write(message + b"\n")
PYTHON
listener=$!
trap 'kill "$listener" 2>/dev/null || true; finish' EXIT
wait_for() { # WHAT COMMAND..
  local what=$1
  shift
  for _ in $(seq 600); do
    "$@" 2>/dev/null && return
    sleep 0.1
  done
  fail "$what: not within a minute"
}
wait_for "the socket" test -S "$root/run/notify"
start() {
  rm -f "$notified"
  chroot --userspec=df_engine:df_engine "$root" /usr/bin/env -i PATH=/usr/bin:/bin NOTIFY_SOCKET=/run/notify /bin/bash -c \
    "cd /var/lib/df_engine && exec $(line ExecStart)" >"$root/service.log" 2>&1 </dev/null &
  service=$!
  wait_for "ready" grep -q READY=1 "$notified"
}
stop() {
  kill -TERM "$service"
  wait "$service" || fail "the service ended with $?: $(cat "$root/service.log")"
  service=""
  grep -q STOPPING=1 "$notified" || fail "nobody was told of the end"
}
start
say "it runs as a service"
"$root/usr/lib/df_engine/bin/df_engine" generate --to http://127.0.0.1:4318 -n 300 -q
sed -i 's/roll_when_older_than: 10m/roll_when_older_than: 5m/' "$root/etc/df_engine/df_engine.yaml"
inside "$(line ExecReload)" >/dev/null
kill -HUP "$service"
wait_for "reload" grep -q 'operation 1 has succeeded' "$root/service.log"
say "it reloads"
stop

# A newer one: the document that was changed stays.
dpkg-deb --raw-extract "$package" "$root/newer"
sed -i 's/^Version: .*/&+1/' "$root/newer/DEBIAN/control"
dpkg-deb --root-owner-group --build "$root/newer" "$root/second.deb" >/dev/null
inside "dpkg -i /second.deb" >/dev/null
grep -q 'roll_when_older_than: 5m' "$root/etc/df_engine/df_engine.yaml" || fail "the upgrade has changed the document"
start
stop
inside "df_engine verify /var/lib/df_engine/lake --no-cache -q" | tail -n 1 | grep -q 'no problems' || fail "what was received is not whole"
say "it upgrades"
inside "dpkg --remove df-engine" >/dev/null
[[ ! -e $root/usr/bin/df_engine && -e $root/etc/df_engine/df_engine.yaml ]] || fail "removing leaves the program, or takes the document"
inside "dpkg --purge df-engine" >/dev/null
[[ ! -e $root/etc/df_engine/df_engine.yaml && -d $root/var/lib/df_engine/lake ]] || fail "a purge leaves the document, or takes the archive"
say "it is removed, and the archive stays"
