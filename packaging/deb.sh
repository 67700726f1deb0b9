#!/usr/bin/env bash
# Makes a package for Debian 12 of an installed tree.
#
# usage: packaging/deb.sh TREE VERSION OUTPUT.deb
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(realpath "$1")
version=$2
output=$(realpath -m "$3")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

mkdir -p "$root"/usr/lib/df_engine "$root"/usr/bin "$root"/usr/share "$root"/DEBIAN
cp -a "$tree/bin" "$tree/lib" "$root/usr/lib/df_engine/"
ln -s ../lib/df_engine/bin/df_engine "$root/usr/bin/df_engine"
cp -a "$tree/share/." "$root/usr/share/"
install -D -m 644 "$tree/share/doc/df_engine/LICENSE" "$root/usr/share/doc/df-engine/copyright"
install -D -m 644 "$here/df_engine.service" "$root/lib/systemd/system/df_engine.service"
install -D -m 644 "$here/df_engine.yaml" "$root/etc/df_engine/df_engine.yaml"

engine=$root/usr/bin/df_engine
mkdir -p "$root"/usr/share/bash-completion/completions "$root"/usr/share/zsh/vendor-completions \
  "$root"/usr/share/fish/vendor_completions.d
"$engine" completion bash >"$root/usr/share/bash-completion/completions/df_engine"
"$engine" completion zsh >"$root/usr/share/zsh/vendor-completions/_df_engine"
# Loaded by its name it has to do its work at once.
echo '[[ $zsh_eval_context[-1] == loadautofunc ]] && _df_engine "$@"' >>"$root/usr/share/zsh/vendor-completions/_df_engine"
"$engine" completion fish >"$root/usr/share/fish/vendor_completions.d/df_engine.fish"

pages=$root/usr/share/man/man1
mkdir -p "$pages"
"$engine" man --roff | gzip -9n >"$pages/df_engine.1.gz"
while read -r command _; do
  "$engine" man --roff "$command" | gzip -9n >"$pages/df_engine-$command.1.gz"
done < <("$engine" help | sed -n 's/^  \([a-z][a-z]*\)  *\(.*\)/\1 \2/p')

cp "$here"/debian/conffiles "$root/DEBIAN/"
install -m 755 "$here"/debian/{postinst,prerm,postrm} "$root/DEBIAN/"
cat >"$root/DEBIAN/control" <<TEXT
Package: df-engine
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: The df_engine project <df-engine@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f 1)
Depends: libc6 (>= 2.36), adduser, ca-certificates
Section: net
Priority: optional
Description: dataflow engine for telemetry
 Gives any slice of an archive of OpenTelemetry logs, traces and metrics in
 Parquet (the OTAP layout) back to OTLP and OTAP backends, receives them, and
 writes such archives.
TEXT
(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
dpkg-deb --root-owner-group -Zzstd --build "$root" "$output" >/dev/null
