#!/usr/bin/env python3
"""Makes an OCI image of an installed tree, without a daemon and without anything that runs as root.

It holds the program with its libraries, the C library, certificates of authorities and a user: no shell, no package manager.
usage: packaging/image.py TREE VERSION OUTPUT.tar
"""
import gzip
import hashlib
import io
import json
import pathlib
import platform
import sys
import tarfile

USER = 65532
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Of the C library: what the program and its libraries may ask the loader for.
C_LIBRARY = ("libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "libresolv.so.2", "libutil.so.1")
AUTHORITIES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
TEXTS = {
    "etc/passwd": f"root:x:0:0:root:/:/\ndf_engine:x:{USER}:{USER}:df_engine:/var/lib/df_engine:/\n",
    "etc/group": f"root:x:0:\ndf_engine:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


class Layer:
    """A tar whose bytes depend on nothing but what is in it."""

    def __init__(self):
        self.data = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.data, mode="w", format=tarfile.PAX_FORMAT)
        self.folders = set()

    def entry(self, name, kind, mode, content=b"", link="", owner=0):
        for parent in reversed(pathlib.PurePosixPath(name).parents):
            if str(parent) not in self.folders | {"."}:
                self.folders.add(str(parent))
                self.entry(str(parent), tarfile.DIRTYPE, 0o755)
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.linkname, info.uid, info.gid, info.size = kind, mode, link, owner, owner, len(content)
        if kind == tarfile.DIRTYPE:
            self.folders.add(name)
        self.tar.addfile(info, io.BytesIO(content))

    def file(self, name, content, mode=0o644):
        self.entry(name, tarfile.REGTYPE, mode, content)

    def link(self, name, target):
        self.entry(name, tarfile.SYMTYPE, 0o777, link=target)

    def folder(self, name, mode=0o755, owner=0):
        self.entry(name, tarfile.DIRTYPE, mode, owner=owner)

    def bytes(self):
        self.tar.close()
        return self.data.getvalue()


def library_folder():
    return pathlib.Path(f"/lib/{platform.machine()}-linux-gnu")


def loader():
    """The dynamic linker, at the path that programs name."""
    names = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
    return pathlib.Path(names[platform.machine()])


def make_layer(tree):
    layer = Layer()
    for folder in ("bin", "lib"):
        for path in sorted((tree / folder).iterdir()):
            name = f"usr/lib/df_engine/{folder}/{path.name}"
            if path.is_symlink():
                layer.link(name, str(path.readlink()))
            else:
                layer.file(name, path.read_bytes(), 0o755)
    layer.link("usr/bin/df_engine", "../lib/df_engine/bin/df_engine")
    for name in C_LIBRARY:
        path = library_folder() / name
        if path.exists():
            layer.file(str(path).lstrip("/"), path.resolve().read_bytes(), 0o755)
    layer.file(str(loader()).lstrip("/"), loader().resolve().read_bytes(), 0o755)
    layer.file("etc/ssl/certs/ca-certificates.crt", AUTHORITIES.read_bytes())
    for name, text in TEXTS.items():
        layer.file(name, text.encode())
    for path in sorted((tree / "share/doc/df_engine").rglob("*")):
        if path.is_file() and ("licences" in path.parts or path.name == "LICENSE"):
            layer.file(f"usr/share/doc/df_engine/{path.relative_to(tree / 'share/doc/df_engine')}", path.read_bytes())
    layer.folder("tmp", 0o1777)
    layer.folder("var/lib/df_engine", 0o755, USER)
    layer.folder("var/cache/df_engine", 0o755, USER)
    return layer.bytes()


def main():
    tree, version, output = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    blobs = {}

    def blob(content, media_type, **more):
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content), **more}

    layer = make_layer(tree)
    packed = gzip.compress(layer, 6, mtime=0)
    labels = {"org.opencontainers.image.title": "df_engine", "org.opencontainers.image.version": version,
              "org.opencontainers.image.licenses": "Apache-2.0"}
    of_machine = {"architecture": ARCHITECTURES[platform.machine()], "os": "linux"}
    config = {**of_machine, "config": {
        "User": f"{USER}:{USER}", "Entrypoint": ["/usr/bin/df_engine"], "WorkingDir": "/var/lib/df_engine",
        "Env": ["PATH=/usr/bin", "HOME=/var/lib/df_engine", "XDG_CACHE_HOME=/var/cache",
                "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
        "Labels": labels, "StopSignal": "SIGTERM"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"created_by": "packaging/image.py"}]}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
                "layers": [blob(packed, "application/vnd.oci.image.layer.v1.tar+gzip")], "annotations": labels}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        blob(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json", platform=of_machine,
             annotations={"org.opencontainers.image.ref.name": version})]}
    whole = Layer()
    whole.file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    whole.file("index.json", json.dumps(index).encode())
    for digest, content in sorted(blobs.items()):
        whole.file(f"blobs/sha256/{digest}", content)
    output.write_bytes(whole.bytes())


if __name__ == "__main__":
    main()
