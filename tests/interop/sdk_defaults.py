"""The OpenTelemetry SDK of Python with nothing set but the endpoint sends to the shipped document that archives.

Run as a program it is the sender: python sdk_defaults.py TRANSPORT FOLDER. It emits spans and log records at a steady
rate through the batch processors and exporters with all their defaults, and keeps what it emitted in FOLDER.
"""
import logging
import os
import pathlib
import struct
import subprocess
import sys
import time

import round_trip
from world import Failure, Program, free_port, wait_for_port

TRANSPORTS = ("grpc", "http")
DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "configs" / "otlp-to-parquet-v1.yaml"
ITEMS, ITEMS_PER_SECOND = 20_000, 800


def _send(transport, folder):
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter, SimpleLogRecordProcessor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    if transport == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    logging.basicConfig(level=logging.WARNING)  # the SDK says here what it drops and which call failed
    spans, logs = InMemorySpanExporter(), InMemoryLogRecordExporter()
    tracers, loggers = TracerProvider(), LoggerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    loggers.add_log_record_processor(SimpleLogRecordProcessor(logs))
    loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    tracer, logger = tracers.get_tracer("interop.tracer"), loggers.get_logger("interop.logger")
    started = time.monotonic()
    for i in range(ITEMS):
        with tracer.start_as_current_span(f"span {i}", attributes={"i": i, "text": "some text"}):
            logger.emit(timestamp=10**18 + i, body=f"record {i}", attributes={"i": i})
        ahead = (i + 1) / ITEMS_PER_SECOND - (time.monotonic() - started)
        if ahead > 0:
            time.sleep(ahead)
    tracers.shutdown()
    loggers.shutdown()
    for signal, request in (("traces", encode_spans(spans.get_finished_spans())),
                            ("logs", encode_logs(logs.get_finished_logs()))):
        data = request.SerializeToString()
        (folder / f"{signal}.expected").write_bytes(struct.pack(">I", len(data)) + data)


def check(world, transport):
    """Everything that the SDK emitted is in the files, and it had nothing to complain of."""
    folder = world.folder(f"sdk-defaults-{transport}")
    ports = {"4317": free_port(), "4318": free_port()}
    text = DOCUMENT.read_text()
    for usual, port in ports.items():
        if text.count(f"127.0.0.1:{usual}") != 1:
            raise Failure(f"{DOCUMENT.name} does not listen on 127.0.0.1:{usual}")
        text = text.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{port}")
    (folder / "archive.yaml").write_text(text)
    port = ports["4317" if transport == "grpc" else "4318"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    sender_environment = environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
                                        "NO_PROXY": "127.0.0.1"}
    os.environ["LAKE"] = str(folder / "parquet")
    arguments = [str(world.engine_binary), "-c", str(folder / "archive.yaml"), "--num-cores", "1"]
    with Program("archive", arguments, folder / "archive.log") as archive:
        wait_for_port(port, archive.process)
        started = time.monotonic()
        sender = subprocess.run([sys.executable, __file__, transport, str(folder)], env=sender_environment,
                                capture_output=True, text=True, timeout=300)
        seconds = time.monotonic() - started
    complaints = [line for line in sender.stderr.splitlines() if line.strip()]
    if sender.returncode != 0 or complaints:
        raise Failure(f"the sender ended with {sender.returncode} and said: {' / '.join(complaints[:5])}")
    out = round_trip.replay(world, folder)
    lines = [world.compare(signal, [folder / f"{signal}.expected"], [out / f"{signal}.otlp"])
             for signal in ("traces", "logs")]
    num_files = sum(1 for _ in (folder / "parquet").rglob("*.parquet"))
    return lines + [f"at {ITEMS / seconds:.0f} of each a second in {num_files} files"]


if __name__ == "__main__":
    _send(sys.argv[1], pathlib.Path(sys.argv[2]))
