#!/usr/bin/env bash
# What cmake --install makes runs from wherever it is put, with its own libraries and nothing of the build.
#
# usage: package_test.sh BUILD_TREE CMAKE
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(realpath "$1")
cmake=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "package_test: $*" >&2
  exit 1
}

"$cmake" --install "$build" --prefix "$work/first" >"$work/install.log" || {
  cat "$work/install.log" >&2
  fail "the installation failed"
}
mv "$work/first" "$work/moved to here"
cd "$work/moved to here"

# Only the C library may come from the system.
trace=$(env -i LD_TRACE_LOADED_OBJECTS=1 bin/df_engine)
foreign=$(awk '$2 == "=>" && $3 !~ "^/tmp" { print $1 }' <<<"${trace//$work/\/tmp}" |
  grep -vE '^lib(c|m|dl|rt|pthread|resolv|util)\.so' || true)
[[ -z $foreign ]] || fail "libraries of the system or of the build are used: $foreign"
grep -q "not found" <<<"$trace" && fail "libraries are missing: $trace"

run() { env -i HOME="$work" bin/df_engine "$@"; }
[[ $(run --version) =~ ^df_engine\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "found version '$(run --version)'"
details=$(run --version -v)
for name in commit compiler Arrow OpenSSL nghttp2 Zstandard; do
  grep -qE "^  $name +[^ ]" <<<"$details" || fail "--version -v does not tell $name: $details"
done
run -v -c none.yaml >/dev/null 2>&1 && fail "-v without --version is taken without a word"
[[ -s share/doc/df_engine/LICENSE ]] || fail "the licence is missing"
[[ -s share/df_engine/configs/parquet-to-otlp-v1.yaml ]] || fail "the documents are missing"

# A replay, started in the folder of the examples.
cd share/df_engine
mkdir -p build/demo
env -i HOME="$work" ../../bin/df_engine --num-cores 1 -c configs/parquet-to-otlp-v1.yaml >"$work/replay.log" 2>&1 || {
  cat "$work/replay.log" >&2
  fail "the replay failed"
}
for signal in logs metrics traces; do
  [[ -s build/demo/$signal-0.otlp ]] || fail "nothing was replayed of $signal"
done
cd "$work"
echo "the installed program runs from '$work/moved to here'"

# The package for Debian: what is in it, and that it runs from where it is unpacked.
"$source/packaging/deb.sh" "$work/moved to here" 1.2.3 "$work/df_engine.deb"
[[ $(dpkg-deb --field df_engine.deb Package Version) == $'Package: df-engine\nVersion: 1.2.3' ]] || fail "the package has other fields"
dpkg-deb --extract df_engine.deb "$work/debian"
for file in usr/bin/df_engine lib/systemd/system/df_engine.service etc/df_engine/df_engine.yaml usr/share/bash-completion/completions/df_engine \
  usr/share/man/man1/df_engine.1.gz usr/share/man/man1/df_engine-replay.1.gz usr/share/doc/df_engine/LICENSE; do
  [[ -s debian/$file ]] || fail "the package lacks $file"
done
env -i HOME="$work" debian/usr/bin/df_engine validate debian/etc/df_engine/df_engine.yaml >"$work/validate.log" 2>&1 || {
  cat "$work/validate.log" >&2
  fail "the document of the service is wrong"
}
gunzip <debian/usr/share/man/man1/df_engine-replay.1.gz | grep -q -- '\\-\\-resume' || fail "the manual page of replay does not have its flags"
if command -v systemd-analyze >/dev/null; then
  # The unit must not be open beyond 2.0 of 10.
  systemd-analyze security --offline=true --threshold=20 debian/lib/systemd/system/df_engine.service >"$work/security.log" 2>&1 || {
    tail -n 1 "$work/security.log" >&2
    fail "the service may do too much"
  }
else
  echo "no systemd-analyze here: what the service may do is not judged"
fi

# The image: its layer is a root of its own.
python3 "$source/packaging/image.py" "$work/moved to here" 1.2.3 "$work/image.tar"
mkdir image root
tar xf image.tar -C image
python3 - image <<'PYTHON' || fail "the image is not put together as OCI says"
import gzip, hashlib, json, pathlib, sys
image = pathlib.Path(sys.argv[1])
def blob(entry):
    content = (image / "blobs/sha256" / entry["digest"].removeprefix("sha256:")).read_bytes()
    assert len(content) == entry["size"] and hashlib.sha256(content).hexdigest() == entry["digest"].removeprefix("sha256:")
    return content
assert json.loads((image / "oci-layout").read_text())["imageLayoutVersion"] == "1.0.0"
manifest = json.loads(blob(json.loads((image / "index.json").read_text())["manifests"][0]))
config = json.loads(blob(manifest["config"]))
layer = gzip.decompress(blob(manifest["layers"][0]))
assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest()]
assert config["config"]["User"] == "65532:65532"
(image / "layer.tar").write_bytes(layer)
PYTHON
tar xf image/layer.tar -C root
if [[ $(id -u) == 0 ]]; then
  # A folder that is mounted, and nobody's rights: as `docker run -v LAKE:/lake:ro IMAGE inspect /lake`.
  cp -a "$work/moved to here/share/df_engine/examples/data/corner/parquet" root/lake
  chmod -R a+rX root/lake
  # A container has /proc, which tells where the libraries are; this root has none. Without it a sanitizer ends in trouble of its own.
  status=0
  env -i PATH=/usr/sbin:/usr/bin LD_LIBRARY_PATH=/usr/lib/df_engine/lib chroot --userspec=65532:65532 root \
    /usr/bin/df_engine inspect /lake --no-cache >"$work/inspect.log" 2>&1 || status=$?
  [[ $status == 0 || $trace == *libasan* ]] || {
    cat "$work/inspect.log" >&2
    fail "the image does not look into an archive: exit code $status"
  }
  grep -q '^spans ' "$work/inspect.log" || fail "the image found no spans: $(cat "$work/inspect.log")"
  echo "the image looks into an archive"
else
  echo "not root here: the image is not run"
fi
