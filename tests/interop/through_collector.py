"""Requests -> our receiver -> our exporter -> OpenTelemetry Collector -> our receiver -> file: what arrives is what was sent.

Nobody on the way keeps a queue and everybody answers when the next one has, so that the last answer to the sender means
that everything is in the file.
"""
import dataclasses

import senders
from world import PROFILES, SIGNALS, free_port, make_certificates


@dataclasses.dataclass(frozen=True)
class Way:
    """How every hop of one check talks."""
    transport: str  # grpc or http
    compression: str
    encoding: str = "proto"  # of HTTP bodies
    security: str = "plain"  # plain, tls, mtls

    @property
    def name(self):
        return " ".join(
            [self.transport if self.transport == "grpc" else f"http {self.encoding}", self.compression, self.security])


WAYS = (
    Way("grpc", "none"),
    Way("grpc", "gzip"),
    Way("grpc", "zstd"),
    Way("grpc", "gzip", security="tls"),
    Way("grpc", "none", security="mtls"),
    Way("http", "none"),
    Way("http", "gzip"),
    Way("http", "zstd"),
    Way("http", "none", encoding="json"),
    Way("http", "gzip", encoding="json"),
    Way("http", "gzip", security="mtls"),
)


def _server_tls(way, certificates):
    if way.security == "plain":
        return {}
    keys = {"cert_file": str(certificates["server"]), "key_file": str(certificates["server_key"])}
    if way.security == "mtls":
        keys["client_ca_file"] = str(certificates["ca"])
    return {"tls": keys}


def _client_tls(way, certificates):
    if way.security == "plain":
        return {}
    keys = {"ca_file": str(certificates["ca"])}
    if way.security == "mtls":
        keys |= {"cert_file": str(certificates["client"]), "key_file": str(certificates["client_key"])}
    return {"tls": keys}


def _receiver(way, port, certificates):
    keys = {"listening_addr": f"127.0.0.1:{port}", "wait_for_result": True, **_server_tls(way, certificates)}
    return {"type": "receiver:otlp", "config": {"protocols": {way.transport: keys}}}


def _exporter(way, port, certificates):
    scheme = "http" if way.security == "plain" else "https"
    keys = {"compression": way.compression, **_client_tls(way, certificates)}
    if way.transport == "grpc":
        return {"type": "exporter:otlp_grpc", "config": {"grpc_endpoint": f"{scheme}://localhost:{port}", **keys}}
    return {"type": "exporter:otlp_http",
            "config": {"endpoint": f"{scheme}://localhost:{port}", "encoding": way.encoding, **keys}}


def _collector_exporter(way, port, certificates):
    tls = {"insecure": True} if way.security == "plain" else _client_tls(way, certificates)["tls"]
    common = {"compression": way.compression, "tls": tls}
    if way.transport == "grpc":
        return "otlp", {"endpoint": f"localhost:{port}", **common}
    scheme = "http" if way.security == "plain" else "https"
    return "otlphttp", {"endpoint": f"{scheme}://localhost:{port}", "encoding": way.encoding, **common}


def check(world, way):
    """Sends every profile of every signal; returns what the comparison printed, a line a signal."""
    folder = world.folder("collector-" + way.name.replace(" ", "-"))
    certificates = make_certificates(folder) if way.security != "plain" else None
    first, middle, last = free_port(), free_port(), free_port()
    exporter_name, exporter = _collector_exporter(way, last, certificates)
    out = {"type": "exporter:file", "config": {"path": str(folder / "{signal}.otlp"), "format": "otlp_proto"}}
    receivers = {way.transport: {"endpoint": f"localhost:{middle}", **_server_tls(way, certificates)}}
    sent = {signal: list(filter(None, (world.requests(signal, profile) for profile in PROFILES)))
            for signal in SIGNALS}
    with world.engine(folder, "last", {"in": _receiver(way, last, certificates), "out": out}, [("in", "out")]), \
            world.collector(folder, "collector", receivers, exporter_name, exporter, [middle]), \
            world.engine(folder, "first", {"in": _receiver(way, first, certificates),
                                           "out": _exporter(way, middle, certificates)}, [("in", "out")]):
        for signal in SIGNALS:
            for path in sent[signal]:
                senders.send(path, signal, way, first, certificates)
    return [world.compare(signal, sent[signal], [folder / f"{signal}.otlp"]) for signal in SIGNALS]
