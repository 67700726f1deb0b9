"""OTAP over gRPC with grpcio as the other side.

Three kinds of check: streams that the upstream engine has sent are replayed into our receiver and give the items of their
OTLP; OTLP goes through our exporter and our receiver and comes out as it was; what our exporter sends is taken by a server
of grpcio, checked message by message with pyarrow against the model, and gives the same items.
"""
import concurrent.futures
import dataclasses
import pathlib
import struct
import subprocess
import sys
import threading

import grpc

import otap_wire
import senders
from world import PROFILES, SIGNALS, Failure, free_port, make_certificates, read_requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
METHODS = {"logs": "ArrowLogsService/ArrowLogs", "traces": "ArrowTracesService/ArrowTraces",
           "metrics": "ArrowMetricsService/ArrowMetrics"}
PACKAGE = "opentelemetry.proto.experimental.arrow.v1."
RECORDINGS = (ROOT / "examples/data/wire", ROOT.parent / "shared/data/upstream-wire")
OK, UNAVAILABLE = 0, 14
NO_LIMIT = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))


@dataclasses.dataclass(frozen=True)
class Way:
    """How every hop of one check talks."""
    kind: str  # recorded, circle, server
    compression: str = "none"
    security: str = "plain"
    trouble: str = ""  # of the server: refuses, ends

    @property
    def name(self):
        what = {"recorded": "recorded upstream streams into our receiver",
                "circle": "our exporter to our receiver",
                "server": "our exporter to a grpcio server, read with pyarrow"}[self.kind]
        trouble = {"": "", "refuses": ", which refuses every second batch",
                   "ends": ", which ends its streams with batches unanswered"}[self.trouble]
        return f"{what}{trouble} {self.compression} {self.security}"


WAYS = (
    Way("recorded"),
    Way("recorded", "gzip", "tls"),
    Way("circle"),
    Way("circle", "zstd", "mtls"),
    Way("server"),
    Way("server", "gzip", "tls"),
    Way("server", trouble="refuses"),
    Way("server", trouble="ends"),
)


def _number(value):
    """A protobuf varint."""
    written = b""
    while value > 127:
        written, value = written + bytes([value & 127 | 128]), value >> 7
    return written + bytes([value])


def _status(batch_id, code):
    return b"\x08" + _number(batch_id) + (b"\x10" + _number(code) if code else b"")


def _receiver(way, port, certificates):
    tls = {}
    if way.security != "plain":
        tls = {"tls": {"cert_file": str(certificates["server"]), "key_file": str(certificates["server_key"])}}
    if way.security == "mtls":
        tls["tls"]["client_ca_file"] = str(certificates["ca"])
    return {"type": "receiver:otap", "config": {"listening_addr": f"127.0.0.1:{port}", **tls}}


def _exporter(way, port, certificates):
    keys = {"grpc_endpoint": f"http://localhost:{port}", "compression": way.compression}
    if way.security != "plain":
        keys |= {"grpc_endpoint": f"https://localhost:{port}", "tls": {"ca_file": str(certificates["ca"])}}
    if way.security == "mtls":
        keys["tls"] |= {"cert_file": str(certificates["client"]), "key_file": str(certificates["client_key"])}
    return {"type": "exporter:otap", "config": keys}


def _file(folder):
    return {"type": "exporter:file", "config": {"path": str(folder / "{signal}.otlp"), "format": "otlp_proto"}}


def replay(way, signal, messages, port, certificates):
    """Sends messages over one stream; fails unless each is answered with OK."""
    compression = grpc.Compression.Gzip if way.compression == "gzip" else grpc.Compression.NoCompression
    with senders.channel(way, port, certificates, NO_LIMIT) as connection:
        call = connection.stream_stream(f"/{PACKAGE}{METHODS[signal]}")
        answered = 0
        for answer in call(iter(messages), timeout=senders.TIMEOUT_SECONDS, compression=compression):
            fields = dict(otap_wire.fields(answer))
            if fields.get(2, OK) != OK:
                raise Failure(f"{signal}: batch {fields.get(1, 0)} was answered with {fields}")
            answered += 1
    if answered != len(messages):
        raise Failure(f"{signal}: {answered} of {len(messages)} batches were answered")


def _messages(world, folder, signal, path):
    """OTLP requests as the messages of an OTAP stream."""
    wire = folder / f"{path.name}.{signal}.otap"
    subprocess.run([str(world.build / "otap_recode"), signal, "otap", str(path), str(wire)], check=True,
                   stdout=subprocess.DEVNULL)
    return list(read_requests(wire))


def _check_recorded(world, way, folder, certificates):
    lines = []
    for recording in (path for base in RECORDINGS if base.is_dir() for path in sorted(base.iterdir())):
        out = folder / f"{recording.parent.name}-{recording.name}"
        out.mkdir()
        port = free_port()
        with world.engine(out, "receiver", {"in": _receiver(way, port, certificates), "out": _file(out)},
                          [("in", "out")]):
            for signal in SIGNALS:
                replay(way, signal, list(read_requests(recording / f"{signal}.arrowstream")), port, certificates)
        for signal in SIGNALS:
            # The recorded producer does not send the sign of a zero, which only the corner requests have.
            excuse = ["--zero-signs"] if recording.name == "corner" else []
            done = subprocess.run([str(world.compare_binary), *excuse, signal, str(recording / f"{signal}.otlp"),
                                   str(out / f"{signal}.otlp")], capture_output=True, text=True)
            if done.returncode != 0:
                raise Failure(f"{recording.name} {signal}: {done.stdout.strip()} {done.stderr.strip()}")
            lines.append(f"{recording.name} {done.stdout.strip().splitlines()[-1]}")
    return lines


def _sent(world):
    return {signal: list(filter(None, (world.requests(signal, profile) for profile in PROFILES))) for signal in SIGNALS}


def _check_circle(world, way, folder, certificates):
    first, last = free_port(), free_port()
    sent, plain = _sent(world), Way("circle")
    with world.engine(folder, "last", {"in": _receiver(way, last, certificates), "out": _file(folder)},
                      [("in", "out")]), \
            world.engine(folder, "first", {"in": _receiver(plain, first, None),
                                           "out": _exporter(way, last, certificates)}, [("in", "out")]):
        for signal in SIGNALS:
            for path in sent[signal]:
                replay(plain, signal, _messages(world, folder, signal, path), first, None)
    return [world.compare(signal, sent[signal], [folder / f"{signal}.otlp"]) for signal in SIGNALS]


class _Server(grpc.GenericRpcHandler):
    """Keeps what it acks, stream by stream."""

    def __init__(self, trouble):
        self.trouble, self.lock = trouble, threading.Lock()
        self.streams = {signal: [] for signal in SIGNALS}  # lists of messages, all that came
        self.acked = {signal: [] for signal in SIGNALS}  # (number of the stream, number of the message)

    def service(self, details):
        for signal, method in METHODS.items():
            if details.method == f"/{PACKAGE}{method}":
                return grpc.stream_stream_rpc_method_handler(
                    lambda messages, _, signal=signal: self.serve(signal, messages))
        return None

    def serve(self, signal, messages):
        with self.lock:
            number = len(self.streams[signal])
            self.streams[signal].append([])
        for index, message in enumerate(messages):
            self.streams[signal][number].append(message)
            batch_id = dict(otap_wire.fields(message)).get(1, 0)
            if self.trouble == "ends" and index == 2:
                return  # in order, and without an answer to this one
            if self.trouble == "refuses" and index % 2 == 0:
                yield _status(batch_id, UNAVAILABLE)
                continue
            self.acked[signal].append((number, index))
            yield _status(batch_id, OK)


def _check_server(world, way, folder, certificates):
    handler = _Server(way.trouble)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), handlers=(handler,), options=NO_LIMIT)
    if way.security == "plain":
        port = server.add_insecure_port("localhost:0")
    else:
        credentials = grpc.ssl_server_credentials(
            [(certificates["server_key"].read_bytes(), certificates["server"].read_bytes())])
        port = server.add_secure_port("localhost:0", credentials)
    server.start()
    first, sent, plain = free_port(), _sent(world), Way("circle")
    nodes = {"in": _receiver(plain, first, None), "out": _exporter(way, port, certificates),
             "retry": {"type": "processor:retry",
                       "config": {"initial_interval": "10ms", "max_interval": "50ms", "max_elapsed_time": "60s"}}}
    try:
        with world.engine(folder, "first", nodes, [("in", "retry"), ("retry", "out")]):
            for signal in SIGNALS:
                for path in sent[signal]:
                    replay(plain, signal, _messages(world, folder, signal, path), first, None)
    finally:
        server.stop(1).wait()
    return [_compare_acked(world, folder, handler, signal, sent[signal]) for signal in SIGNALS]


def _compare_acked(world, folder, handler, signal, sent):
    """Checks every stream with pyarrow; what was acked holds exactly what was sent."""
    acked, batches = [], 0
    for number, messages in enumerate(handler.streams[signal]):
        framed = b"".join(struct.pack(">I", len(message)) + message for message in messages)
        try:
            batches += otap_wire.check_stream(signal, framed)
        except Exception as error:
            raise Failure(f"{signal}: stream {number}: {error}") from error
        wire, back = folder / f"{signal}-{number}.otap", folder / f"{signal}-{number}.otlp"
        wire.write_bytes(framed)
        subprocess.run([str(world.build / "otap_recode"), signal, "otlp", str(wire), str(back)], check=True,
                       stdout=subprocess.DEVNULL)
        requests = list(read_requests(back))
        taken = [requests[index] for stream, index in handler.acked[signal] if stream == number]
        path = folder / f"{signal}-{number}.acked.otlp"
        path.write_bytes(b"".join(struct.pack(">I", len(request)) + request for request in taken))
        acked.append(path)
    return f"{world.compare(signal, sent, acked)}, {batches} record batches read with pyarrow"


def check(world, way):
    """Returns what the comparisons printed, a line each."""
    folder = world.folder("otap-" + way.name.replace(" ", "-").replace(",", ""))
    certificates = make_certificates(folder) if way.security != "plain" else None
    checks = {"recorded": _check_recorded, "circle": _check_circle, "server": _check_server}
    return checks[way.kind](world, way, folder, certificates)


def check_messages(world, seeds=10):
    """What our producer writes for every profile of some seeds is read with pyarrow, and comes back as it was."""
    done = subprocess.run([sys.executable, str(pathlib.Path(otap_wire.__file__)), str(world.build / "otap_recode"),
                           str(world.compare_binary), str(world.generator), "--seeds", str(seeds)],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"{done.stdout.strip()} {done.stderr.strip()}")
    return [done.stdout.strip().splitlines()[-1]]
