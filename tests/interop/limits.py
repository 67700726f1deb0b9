"""Replay of files into servers that take small requests: every item arrives, and df_engine ends with 0.

The servers are grpcio with its default of 4 MiB and with 1 MiB, and the Collector with 1 MiB over gRPC and HTTP. Nothing
stands between the reader and the exporter that would try anything again.
"""
import concurrent.futures
import json
import shutil
import struct
import subprocess
import threading
import uuid

import grpc

import senders
from world import SIGNALS, Failure, Program, free_port, read_requests

MIB = 1 << 20
RUN_SECONDS = 900
COPIES = 16


def _items(signal, request):
    """Log records, spans or data points of a request."""
    message = senders.REQUESTS[signal].FromString(request)
    if signal == "logs":
        return sum(len(s.log_records) for r in message.resource_logs for s in r.scope_logs)
    if signal == "traces":
        return sum(len(s.spans) for r in message.resource_spans for s in r.scope_spans)
    return sum(len(getattr(m, m.WhichOneof("data")).data_points)
               for r in message.resource_metrics for s in r.scope_metrics for m in s.metrics if m.WhichOneof("data"))


class _Server(grpc.GenericRpcHandler):
    """Counts what it takes, and keeps it where it is told to."""

    def __init__(self, keeps):
        self.lock, self.keeps = threading.Lock(), keeps
        self.items = dict.fromkeys(SIGNALS, 0)
        self.requests, self.largest = 0, 0
        self.taken = {signal: [] for signal in SIGNALS}

    def service(self, details):
        for signal, method in senders.METHODS.items():
            if details.method == method:
                return grpc.unary_unary_rpc_method_handler(lambda request, _, signal=signal: self.export(signal, request))
        return None

    def export(self, signal, request):
        items = _items(signal, request)
        with self.lock:
            self.items[signal] += items
            self.requests += 1
            self.largest = max(self.largest, len(request))
            if self.keeps:
                self.taken[signal].append(request)
        return b""


def source(world):
    """The files of the upstream load generator; None where they are not there."""
    path = world.generator.parent.parent / "data" / "upstream-generator" / "parquet" if world.generator else None
    return path if path is not None and path.is_dir() else None


def _copies(world):
    """COPIES partitions in place of each."""
    target = world.work / "upstream-generator-copies"
    if not target.exists():
        for partition in sorted(source(world).glob("*/_part_id=*")):
            for copy in range(COPIES):
                name = uuid.uuid5(uuid.NAMESPACE_OID, f"{partition.name} {copy}")
                shutil.copytree(partition, target / partition.parent.name / f"_part_id={name}")
    return target


def _run(world, folder, name, base, exporter):
    """Replays everything once; returns the exit code and what was printed."""
    nodes = {"in": {"type": "receiver:parquet", "config": {"base_uri": str(base), "polling_interval": "once"}},
             "out": exporter}
    document = {"version": "otel_dataflow/v1", "groups": {"default": {"pipelines": {"main": {
        "policies": {"resources": {"core_allocation": {"type": "core_count", "count": 1}}},
        "nodes": nodes, "connections": [{"from": "in", "to": "out"}]}}}}}
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(document, indent=1))
    with Program(name, [str(world.engine_binary), "--strict", "-c", str(path)], folder / f"{name}.log") as program:
        try:
            code = program.process.wait(RUN_SECONDS)
        except subprocess.TimeoutExpired:
            program.kill()
            raise Failure(f"{name} does not end; see {program.log}") from None
        return code, program.text()


def _expected(world, folder):
    """What one copy is, written to files by the same reader without any limit."""
    out = {"type": "exporter:file", "config": {"path": str(folder / "expected-{signal}.otlp"), "format": "otlp_proto"}}
    code, text = _run(world, folder, "expected", source(world), out)
    if code != 0:
        raise Failure(f"the replay to files ended with {code}: {text}")
    return {signal: folder / f"expected-{signal}.otlp" for signal in SIGNALS}


def _replay(world, folder, name, base, limit, keeps):
    port, handler = free_port(), _Server(keeps)
    options = () if limit is None else (("grpc.max_receive_message_length", limit),)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=(handler,), options=options)
    if server.add_insecure_port(f"localhost:{port}") != port:
        raise Failure(f"port {port} is taken")
    server.start()
    try:
        code, text = _run(world, folder, name, base,
                          {"type": "exporter:otlp_grpc", "config": {"grpc_endpoint": f"localhost:{port}"}})
    finally:
        server.stop(1).wait()
    if code != 0:
        raise Failure(f"exit code {code}, {handler.items} arrived: {text}")
    return handler


def check_server(world, limit):
    """A grpcio server of `limit` bytes (None: its default, 4 MiB)."""
    folder = world.folder(f"limits-{limit or 'default'}")
    expected = _expected(world, folder)
    handler = _replay(world, folder, "once", source(world), limit, keeps=True)
    lines = []
    for signal in SIGNALS:
        taken = folder / f"{signal}.otlp"
        taken.write_bytes(b"".join(struct.pack(">I", len(request)) + request for request in handler.taken[signal]))
        lines.append(world.compare(signal, [expected[signal]], [taken]))
    handler = _replay(world, folder, "copies", _copies(world), limit, keeps=False)
    wanted = {signal: COPIES * sum(_items(signal, request) for request in read_requests(expected[signal]))
              for signal in SIGNALS}
    if handler.items != wanted:
        raise Failure(f"found {handler.items}, expected {wanted}")
    lines.append(f"{COPIES} copies: exit code 0, " + ", ".join(f"{items} {signal}" for signal, items in handler.items.items())
                 + f" in {handler.requests} requests, the largest of {handler.largest} bytes")
    return lines


def check_collector(world, transport):
    """A Collector that takes 1 MiB, and sends on to our receiver with its defaults."""
    folder = world.folder(f"limits-collector-{transport}")
    expected = _expected(world, folder)
    middle, last = free_port(), free_port()
    limit = {"max_recv_msg_size_mib": 1} if transport == "grpc" else {"max_request_body_size": MIB}
    receivers = {transport: {"endpoint": f"localhost:{middle}", **limit}}
    receiver = {"type": "receiver:otlp",
                "config": {"protocols": {"grpc": {"listening_addr": f"127.0.0.1:{last}", "wait_for_result": True}}}}
    out = {"type": "exporter:file", "config": {"path": str(folder / "{signal}.otlp"), "format": "otlp_proto"}}
    exporter = {"type": "exporter:otlp_grpc", "config": {"grpc_endpoint": f"localhost:{middle}"}}
    if transport == "http":
        exporter = {"type": "exporter:otlp_http", "config": {"endpoint": f"http://localhost:{middle}"}}
    onward = {"endpoint": f"localhost:{last}", "tls": {"insecure": True}}
    with world.engine(folder, "last", {"in": receiver, "out": out}, [("in", "out")]), \
            world.collector(folder, "collector", receivers, "otlp", onward, [middle]):
        code, text = _run(world, folder, "once", source(world), exporter)
    if code != 0:
        raise Failure(f"exit code {code}: {text}")
    return [world.compare(signal, [expected[signal]], [folder / f"{signal}.otlp"]) for signal in SIGNALS]
