"""A gRPC server of grpcio that makes trouble, behind our OTLP/gRPC exporter with a retry processor in front of it.

Whatever the server does, it ends up with exactly what was sent.
"""
import concurrent.futures
import struct
import threading
import time

import grpc

import senders
from through_collector import Way
from world import PROFILES, SIGNALS, Failure, free_port

TROUBLES = ("refuses", "asks for a pause", "answers late", "restarts", "compresses its answers")
TIMEOUT_SECONDS = 0.5
RETRY_INFO = b"type.googleapis.com/google.rpc.RetryInfo"


def _field(number, data):
    return bytes([number << 3 | 2, len(data)]) + data


def _details(code, nanos):
    """google.rpc.Status with a google.rpc.RetryInfo of a part of a second."""
    duration = b"\x10" + bytes([nanos & 127 | 128, nanos >> 7 & 127 | 128, nanos >> 14 & 127 | 128, nanos >> 21 & 127 | 128,
                                nanos >> 28])
    return b"\x08" + bytes([code]) + _field(3, _field(1, RETRY_INFO) + _field(2, _field(1, duration)))


class _Collector(grpc.GenericRpcHandler):
    """Keeps the requests that it takes; every third call is in trouble."""

    def __init__(self, trouble):
        self.trouble, self.lock, self.calls = trouble, threading.Lock(), 0
        self.taken = {signal: [] for signal in SIGNALS}
        self.pauses = []  # (when it was asked for, when the next call came)

    def service(self, details):
        for signal, method in senders.METHODS.items():
            if details.method == method:
                return grpc.unary_unary_rpc_method_handler(
                    lambda request, context, signal=signal: self.export(signal, request, context))
        return None

    def export(self, signal, request, context):
        with self.lock:
            self.calls += 1
            in_trouble = self.calls % 3 == 1
            if self.pauses and self.pauses[-1][1] is None:
                self.pauses[-1][1] = time.monotonic()
        if in_trouble and self.trouble == "refuses":
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        if in_trouble and self.trouble == "asks for a pause":
            context.set_trailing_metadata((("grpc-status-details-bin", _details(8, 200_000_000)),))
            self.pauses.append([time.monotonic(), None])
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "in a while")
        if in_trouble and self.trouble == "answers late":
            time.sleep(2 * TIMEOUT_SECONDS)
            return b""
        with self.lock:
            self.taken[signal].append(request)
        return b""


def _serve(handler, port):
    compression = grpc.Compression.Gzip if handler.trouble.startswith("compresses") else None
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), handlers=(handler,), compression=compression,
                         options=(("grpc.max_receive_message_length", -1),))
    if server.add_insecure_port(f"localhost:{port}") != port:
        raise Failure(f"port {port} is taken")
    server.start()
    return server


def check(world, trouble):
    """Returns what the comparisons printed, a line each."""
    folder = world.folder("grpcio-server-" + trouble.replace(" ", "-"))
    first, port, handler = free_port(), free_port(), _Collector(trouble)
    server = _serve(handler, port)
    nodes = {
        "in": {"type": "receiver:otlp",
               "config": {"protocols": {"grpc": {"listening_addr": f"127.0.0.1:{first}", "wait_for_result": True,
                                                 "timeout": "60s"}}}},
        "retry": {"type": "processor:retry",
                  "config": {"initial_interval": "10ms", "max_interval": "50ms", "max_elapsed_time": "60s"}},
        "out": {"type": "exporter:otlp_grpc",
                "config": {"grpc_endpoint": f"localhost:{port}", "timeout": f"{int(1000 * TIMEOUT_SECONDS)}ms"}},
    }
    sent = {signal: list(filter(None, (world.requests(signal, profile) for profile in PROFILES))) for signal in SIGNALS}
    with world.engine(folder, "first", nodes, [("in", "retry"), ("retry", "out")]):
        for signal in SIGNALS:
            for path in sent[signal]:
                senders.send(path, signal, Way("grpc", "none"), first)
            if trouble == "restarts":
                server.stop(0).wait()
                server = _serve(handler, port)
    server.stop(1).wait()
    lines = []
    for signal in SIGNALS:
        taken = folder / f"{signal}.otlp"
        taken.write_bytes(b"".join(struct.pack(">I", len(request)) + request for request in handler.taken[signal]))
        lines.append(world.compare(signal, sent[signal], [taken]))
    short = [end - begin for begin, end in handler.pauses if end is not None and end - begin < 0.19]
    if short:
        raise Failure(f"a pause of 0.2 s was asked for, and the next call came after {short[0]:.3f} s")
    return lines
