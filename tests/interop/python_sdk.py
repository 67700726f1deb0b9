"""The OpenTelemetry SDK of Python sends to our receiver; what arrives is what the SDK itself encodes."""
import os
import struct

import grpc
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from world import SIGNALS, Failure, free_port, make_certificates

WAYS = ("grpc none plain", "grpc gzip plain", "grpc gzip mtls", "http none plain", "http gzip plain", "http gzip mtls")
RESOURCE = Resource({"service.name": "interop", "service.instance.id": "1", "ports": [80, 443]})


def _spans():
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("interop.tracer", "1.2", attributes={"scope": "yes"})
    for i in range(50):
        with tracer.start_as_current_span(f"outer {i}", kind=trace.SpanKind.SERVER, attributes={"i": i}) as outer:
            outer.add_event("started", {"ratio": i / 7, "empty": ""})
            links = [trace.Link(outer.get_span_context(), {"link": True})]
            with tracer.start_as_current_span("inner", links=links) as inner:
                inner.set_attribute("list", ["a", "", "ü"])
                inner.set_status(trace.StatusCode.ERROR, "went wrong")
    return kept.get_finished_spans()


def _logs():
    kept = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    logger = provider.get_logger("interop.logger")
    bodies = ["text", "", 7, -1.5, True, b"\x00\xff", {"map": {"of": [1, "two", None]}}, None]
    for i in range(80):
        logger.emit(timestamp=10**18 + i, observed_timestamp=10**18 + 2 * i, severity_number=SeverityNumber.WARN,
                    severity_text="WARN", body=bodies[i % len(bodies)], event_name="event" if i % 3 else None,
                    attributes={"i": i, "nested": {"deep": [True, {"er": 0.0}]}})
    return kept.get_finished_logs()


def _metrics():
    reader = InMemoryMetricReader()
    views = [View(instrument_name="exponential", aggregation=ExponentialBucketHistogramAggregation())]
    provider = MeterProvider(metric_readers=[reader], resource=RESOURCE, views=views)
    meter = provider.get_meter("interop.meter", "3")
    counter = meter.create_counter("counter", "1", "counts")
    sum_both = meter.create_up_down_counter("up_down", "By")
    histogram = meter.create_histogram("histogram", "s")
    exponential = meter.create_histogram("exponential", "s")
    gauge = meter.create_gauge("gauge")
    for i in range(200):
        attributes = {"key": f"value {i % 20}", "flag": i % 2 == 0}
        counter.add(i, attributes)
        sum_both.add(-i if i % 2 else i * 1.5, attributes)
        histogram.record(i / 3, attributes)
        exponential.record(i * i / 11, attributes)
        gauge.set(i / 2, attributes)
    return reader.get_metrics_data()


def _exporters(way, port, certificates):
    transport, compression, security = way.split()
    if transport == "grpc":
        keys = {"endpoint": f"localhost:{port}", "insecure": security == "plain",
                "compression": grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression}
        if security == "mtls":
            keys["credentials"] = grpc.ssl_channel_credentials(
                certificates["ca"].read_bytes(), certificates["client_key"].read_bytes(),
                certificates["client"].read_bytes())
        return {"traces": grpc_traces.OTLPSpanExporter(**keys), "logs": grpc_logs.OTLPLogExporter(**keys),
                "metrics": grpc_metrics.OTLPMetricExporter(**keys)}
    scheme = "http" if security == "plain" else "https"
    keys = {"compression": Compression.Gzip if compression == "gzip" else Compression.NoCompression}
    if security == "mtls":
        keys |= {"certificate_file": str(certificates["ca"]), "client_key_file": str(certificates["client_key"]),
                 "client_certificate_file": str(certificates["client"])}
    modules = {"traces": http_traces.OTLPSpanExporter, "logs": http_logs.OTLPLogExporter,
               "metrics": http_metrics.OTLPMetricExporter}
    return {signal: make(endpoint=f"{scheme}://localhost:{port}/v1/{signal}", **keys)
            for signal, make in modules.items()}


def check(world, way):
    """Exports spans, log records and metrics; returns what the comparison printed, a line a signal."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ.pop(name, None)  # the HTTP library would trust it in place of what the SDK is told to trust
    transport, _, security = way.split()
    folder = world.folder("sdk-" + way.replace(" ", "-"))
    certificates = make_certificates(folder) if security != "plain" else None
    port = free_port()
    protocol = {"listening_addr": f"127.0.0.1:{port}", "wait_for_result": True}
    if security != "plain":
        protocol["tls"] = {"cert_file": str(certificates["server"]), "key_file": str(certificates["server_key"]),
                           "client_ca_file": str(certificates["ca"])}
    nodes = {"in": {"type": "receiver:otlp", "config": {"protocols": {transport: protocol}}},
             "out": {"type": "exporter:file", "config": {"path": str(folder / "{signal}.otlp"), "format": "otlp_proto"}}}
    data = {"traces": _spans(), "logs": _logs(), "metrics": _metrics()}
    encode = {"traces": encode_spans, "logs": encode_logs, "metrics": encode_metrics}
    with world.engine(folder, "engine", nodes, [("in", "out")]):
        for signal, exporter in _exporters(way, port, certificates).items():
            result = exporter.export(data[signal])
            if result.name != "SUCCESS":
                raise Failure(f"{signal}: the SDK's exporter says {result}")
            exporter.shutdown()
    lines = []
    for signal in SIGNALS:
        request = encode[signal](data[signal]).SerializeToString()
        expected = folder / f"{signal}.expected"
        expected.write_bytes(struct.pack(">I", len(request)) + request)
        lines.append(world.compare(signal, [expected], [folder / f"{signal}.otlp"]))
    return lines
