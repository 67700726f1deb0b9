"""Sends files of OTLP requests as they are, byte by byte, over gRPC (grpcio) or HTTP (the Python standard library)."""
import gzip
import http.client
import json
import ssl

import grpc
import zstandard
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from world import Failure, read_requests

METHODS = {
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
REQUESTS = {"logs": ExportLogsServiceRequest, "traces": ExportTraceServiceRequest,
            "metrics": ExportMetricsServiceRequest}
ID_FIELDS = {"traceId", "spanId", "parentSpanId"}
TIMEOUT_SECONDS = 60


def to_otlp_json(signal, data):
    """A request in OTLP's JSON: as protobuf's, but ids are hexadecimal and enumerations are numbers."""
    def with_hexadecimal_ids(value):
        if isinstance(value, list):
            return [with_hexadecimal_ids(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {key: json_format.base64.b64decode(each).hex() if key in ID_FIELDS and isinstance(each, str)
                else with_hexadecimal_ids(each) for key, each in value.items()}

    message = REQUESTS[signal].FromString(data)
    tree = json_format.MessageToDict(message, use_integers_for_enums=True)
    return json.dumps(with_hexadecimal_ids(tree), ensure_ascii=False).encode()


def send(path, signal, way, port, certificates=None):
    """Sends every request of a file to localhost; fails when one is not taken whole."""
    if way.transport == "grpc":
        _send_grpc(path, signal, way, port, certificates)
    else:
        _send_http(path, signal, way, port, certificates)


def channel(way, port, certificates=None, options=()):
    """A gRPC channel to localhost with the security of `way`."""
    target = f"localhost:{port}"
    if way.security == "plain":
        return grpc.insecure_channel(target, options=options)
    keys = {}
    if way.security == "mtls":
        keys = {"private_key": certificates["client_key"].read_bytes(),
                "certificate_chain": certificates["client"].read_bytes()}
    credentials = grpc.ssl_channel_credentials(certificates["ca"].read_bytes(), **keys)
    return grpc.secure_channel(target, credentials, options=options)


def _send_grpc(path, signal, way, port, certificates):
    # grpcio has no zstd: towards the first hop such a way is sent with gzip.
    compression = grpc.Compression.NoCompression if way.compression == "none" else grpc.Compression.Gzip
    with channel(way, port, certificates, [("grpc.max_send_message_length", -1)]) as connection:
        call = connection.unary_unary(METHODS[signal])
        for request in read_requests(path):
            answer = call(request, timeout=TIMEOUT_SECONDS, compression=compression)
            if answer:
                raise Failure(f"{signal}: answered with a partial success: {answer!r}")


def _send_http(path, signal, way, port, certificates):
    if way.security == "plain":
        connection = http.client.HTTPConnection("localhost", port, timeout=TIMEOUT_SECONDS)
    else:
        context = ssl.create_default_context(cafile=str(certificates["ca"]))
        if way.security == "mtls":
            context.load_cert_chain(certificates["client"], certificates["client_key"])
        connection = http.client.HTTPSConnection("localhost", port, timeout=TIMEOUT_SECONDS, context=context)
    headers = {"Content-Type": "application/json" if way.encoding == "json" else "application/x-protobuf"}
    if way.compression != "none":
        headers["Content-Encoding"] = way.compression
    compress = {"none": bytes, "gzip": gzip.compress, "zstd": zstandard.compress}[way.compression]
    for request in read_requests(path):
        body = to_otlp_json(signal, request) if way.encoding == "json" else request
        connection.request("POST", f"/v1/{signal}", compress(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200 or text not in (b"", b"{}", b'{"partialSuccess":{}}'):
            raise Failure(f"{signal}: answered with {answer.status} {text[:300]!r}")
    connection.close()
