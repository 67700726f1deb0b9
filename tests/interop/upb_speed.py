#!/usr/bin/env python3
"""Measures how fast the official Python protobuf package (upb) parses the requests of a file.

Usage: upb_speed.py logs|traces|metrics FILE, a file of requests behind 4-byte big-endian lengths.
"""
import pathlib, struct, sys, time

from google.protobuf.internal import api_implementation

SIGNALS = ("logs", "traces", "metrics")


def measure(signal, path):
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    kind = dict(zip(SIGNALS, (ExportLogsServiceRequest, ExportTraceServiceRequest, ExportMetricsServiceRequest)))[signal]
    data = pathlib.Path(path).read_bytes()
    requests, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        requests.append(data[at + 4:at + 4 + size])
        at += 4 + size
    best = 0.0
    end = time.process_time() + 3
    while time.process_time() < end:
        start = time.process_time()
        for request in requests:
            kind.FromString(request)
        best = max(best, sum(map(len, requests)) / (time.process_time() - start) / 1e6)
    print(f"{signal:8} upb parse {best:6.0f} MB/s ({api_implementation.Type()})")
    return 0


if __name__ == "__main__":
    sys.exit(measure(*sys.argv[1:3]))
