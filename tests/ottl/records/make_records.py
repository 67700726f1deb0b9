#!/usr/bin/env python3
"""Writes logs.json, traces.json and metrics.json: few records, each of them awkward in its own way."""
import base64
import json
import pathlib

EMPTY = object()


def value(given):
    """A plain value as a value of OTLP JSON. EMPTY is a value of no type."""
    if given is EMPTY:
        return {}
    if isinstance(given, bool):
        return {"boolValue": given}
    if isinstance(given, int):
        return {"intValue": str(given)}
    if isinstance(given, float):
        if given != given:
            return {"doubleValue": "NaN"}
        if given in (float("inf"), float("-inf")):
            return {"doubleValue": "Infinity" if given > 0 else "-Infinity"}
        return {"doubleValue": given}
    if isinstance(given, str):
        return {"stringValue": given}
    if isinstance(given, bytes):
        return {"bytesValue": base64.b64encode(given).decode()}
    if isinstance(given, list):
        return {"arrayValue": {"values": [value(one) for one in given]}}
    return {"kvlistValue": {"values": attributes(given)}}


def attributes(given):
    return [{"key": key, "value": value(one)} for key, one in given.items()]


def record(**fields):
    """Fields as they are in OTLP JSON, except that attributes and body are plain values."""
    if "attributes" in fields:
        fields["attributes"] = attributes(fields["attributes"])
    if "body" in fields:
        fields["body"] = value(fields["body"])
    return fields


INFINITY = float("inf")
NAN = float("nan")
TRACE_A = "0102030405060708090a0b0c0d0e0f10"
TRACE_B = "ffffffffffffffffffffffffffffffff"
SPAN_A = "0102030405060708"
SPAN_B = "ffffffffffffffff"
SPAN_C = "00000000deadbeef"
NOON = 1700000000000000000

RESOURCE_A = record(attributes={
    "service.name": "cart", "service.instance": 7, "host": {"name": "a-1", "cores": 8, "": "empty"},
    "zones": ["eu", "us", 3], "ratio": 0.5, "leader": True, "": "nameless", "raw": b"\x00\xff",
    "none": EMPTY})
RESOURCE_B = {}
RESOURCE_C = record(attributes={"service.name": "Straße", "service.instance": "7"},
                    droppedAttributesCount=3)
SCOPE_A = record(name="lib", version="1.2.3", attributes={"lang": "go", "n": 1, "deep": {"x": [1, 2]}},
                 droppedAttributesCount=2)
SCOPE_B = {}
SCOPE_C = record(name="other.lib", version="", attributes={"lang": "C++"})
SCHEMA_A = "https://example.org/schemas/1.24.0"
SCHEMA_B = "https://example.org/schemas/1.9.0"

LOGS_A = [
    record(timeUnixNano=str(NOON), observedTimeUnixNano=str(NOON + 5), severityNumber=9,
           severityText="INFO", body="GET /cart 200", traceId=TRACE_A, spanId=SPAN_A, flags=1,
           eventName="request",
           attributes={"x": "abc", "status": 200, "method": "GET", "ok": True, "ratio": 0.5}),
    record(timeUnixNano=str(NOON + 1), observedTimeUnixNano=str(NOON), severityNumber=9,
           severityText="info", body="", flags=0,
           attributes={"x": "", "status": 200.0, "ok": False, "ratio": 1}),
    record(severityNumber=17, severityText="ERROR", body=200, traceId=TRACE_B, spanId=SPAN_B,
           flags=4294967295, eventName="",
           attributes={"x": 200, "status": "200", "ok": "true", "ratio": "0.5"}),
    record(timeUnixNano="0", severityNumber=0, severityText="", body=200.0,
           attributes={"x": 200.0, "status": b"200", "ok": 1, "ratio": -0.5}),
    record(timeUnixNano="1", severityNumber=1, severityText="TRACE", body=True, spanId=SPAN_C,
           attributes={"x": True, "status": EMPTY, "ok": EMPTY, "ratio": EMPTY}),
    record(timeUnixNano=str(NOON + 999999999), severityNumber=24, body=b"\x01\x02\xfe",
           attributes={"x": b"abc", "status": [200], "ok": [True], "ratio": NAN}),
    record(timeUnixNano=str(NOON), severityNumber=13, severityText="Warn",
           body={"k": "v", "n": 1, "a": [1, "two", 3.0], "m": {"x": "deep", "y": {"z": 5}},
                 "": "nameless", "none": EMPTY, "flag": True},
           attributes={"x": ["abc"], "a": ["first", 2, 3.5, True, EMPTY, ["in"], {"k": 1}],
                       "m": {"x": "abc", "y": {"z": [10, 20]}, "n": 5}}),
    record(severityNumber=21, severityText="FATAL", body=["a", 1, 2.5, False, ["n"], {"k": "v"}],
           attributes={"x": {"k": "v"}, "a": [], "m": {}}),
    record(severityNumber=5, body=EMPTY, attributes={"x": EMPTY, "a": EMPTY, "m": EMPTY}),
    record(),
    record(timeUnixNano=str(NOON + 3600 * 10**9), body="a.b*c", droppedAttributesCount=7,
           attributes={"x": "ABC", "big": 2**53 + 1, "other": 2**53, "m": "not a map",
                       "a": "not a list"}),
    record(timeUnixNano=str(2**63 - 1), observedTimeUnixNano=str(2**63 - 1), body=2**53 + 1,
           attributes={"x": "abcabc", "big": 2**63 - 1, "other": 9.2233720368547758e18, "a": 5,
                       "m": [1]}),
]
LOGS_B = [
    record(timeUnixNano=str(NOON), severityNumber=9, body=-2**63,
           attributes={"big": -2**63, "other": -9.2233720368547758e18, "x": -5}),
    record(timeUnixNano=str(NOON - 1), severityNumber=10, severityText="INFO2", body=-0.0,
           attributes={"big": -1, "other": -0.0, "x": -2.5, "zero": 0}),
    record(body=NAN, attributes={"big": NAN, "other": NAN, "x": NAN, "zero": -0.0}),
    record(body=INFINITY, attributes={"big": INFINITY, "other": -INFINITY, "x": INFINITY,
                                      "zero": 0.0}),
    record(body="Grüße, 世界 🌍", severityText="été",
           attributes={"x": "äbc", "ключ": "значение", "emoji": "🌍🌎", "upper": "ÄÖÜ",
                       "text": "Grüße, 世界 🌍"}),
    record(body="line one\nline two\ttab \"quoted\" back\\slash",
           attributes={"x": "a\"b\\c\nd", "": "empty key", "a b": "key with blank",
                       "a.b": "key with dot", "q\"q": "key with quote",
                       "text": "line one\nline two"}),
    record(body="  padded \t\n", attributes={"x": "  abc  ", "text": "a,b,,c", "path": "/a/b/c/"}),
    record(body="12", attributes={"x": "12", "text": "-12", "big": "9223372036854775807",
                                  "number": "1.5", "hexadecimal": "0x10", "blank": " 12"}),
    record(body="1e3", attributes={"x": "1e3", "number": "1e400", "text": "12abc",
                                   "big": "9223372036854775808", "hexadecimal": "ff"}),
    record(body="true", attributes={"x": "true", "number": "NaN", "text": "TRUE",
                                    "big": "1_000"}),
]
LOGS_C = [
    record(severityNumber=9, body=b"", traceId=TRACE_A, spanId=SPAN_B,
           attributes={"x": b"", "bytes": b"\xbe\xef", "identifier": TRACE_A, "short": SPAN_A}),
    record(severityNumber=8, body=b"\xbe\xef", traceId=TRACE_B,
           attributes={"x": b"\xff\xfe", "bytes": bytes(range(1, 17)), "identifier": TRACE_B,
                       "short": SPAN_B}),
    record(severityNumber=12, body=[], attributes={"x": [], "bytes": bytes(range(1, 9)),
                                                   "identifier": "xyz", "short": ""}),
    record(severityNumber=16, body={}, attributes={"x": {}, "a": [1, 2, 3], "b": [1, 2, 3],
                                                   "c": [1.0, 2.0, 3.0], "bytes": b"\x00"}),
    record(body={"k": 1, "m": {"x": 2.5}, "a": ["x"]}, droppedAttributesCount=4294967295,
           attributes={"x": {"k": "v", "n": 1}, "m": {"x": 200, "y": "z"},
                       "m2": {"y": "z", "x": 200}, "a": [200, "abc"], "b": [200.0, "abc"]}),
    record(body={"k": {"k": {"k": "deep"}}, "a": [[1, 2], [3]]}, severityNumber=20, flags=256,
           attributes={"x": [["nested"], {"k": ["v"]}], "a": [[1, 2], [3, [4]]],
                       "m": {"": "empty", "x": EMPTY, "y": {}}}),
]
LOGS_D = [
    record(timeUnixNano=str(NOON), severityNumber=9, severityText="INFO", body="GET /cart 200",
           eventName="Request",
           attributes={"x": "abd", "duration": 1500, "limit": 1000, "factor": 1.5, "zero": 0}),
    record(timeUnixNano=str(NOON + 2 * 10**9), observedTimeUnixNano=str(NOON), severityNumber=3,
           body="POST /order 503 1.5s", eventName="request.done",
           attributes={"x": "a", "duration": 250.5, "limit": 250.5, "factor": 2, "zero": 0.0,
                       "took": "1h30m"}),
    record(body="x" * 300, attributes={"x": "x" * 300, "duration": "1500", "limit": True,
                                       "factor": EMPTY, "took": "abc"}),
    record(body={"html": "<a & 'b'>", "line": "\u2028\u2029\t\u0001\u007f\"\\/", "large": 1e21,
                 "small": 1e-7, "bytes": b"\x00\xff", "none": EMPTY, "z": [], "a": {}},
           severityNumber=9, attributes={"x": 1e21, "small": 1e-7, "whole": 3.0, "third": 1 / 3,
                                         "html": ["<a>", b"\xbe\xef", 1e21, 1e-7, 2.0]}),
    record(body=1e21, attributes={"x": 123456789.0, "small": 0.000001, "whole": 1e20,
                                  "html": {"b": 1.0, "a": EMPTY}}),
    record(body=[NAN, 1e-7, INFINITY], attributes={"x": [NAN], "small": {"n": INFINITY}}),
    record(body=1e-7, attributes={"x": 5e-324, "small": 1.7976931348623157e308, "whole": -1e21}),
]


def export_logs():
    return {"resourceLogs": [
        {"resource": RESOURCE_A, "schemaUrl": SCHEMA_A, "scopeLogs": [
            {"scope": SCOPE_A, "schemaUrl": SCHEMA_B, "logRecords": LOGS_A},
            {"scope": SCOPE_B, "logRecords": LOGS_B}]},
        {"resource": RESOURCE_B, "scopeLogs": [
            {"scope": SCOPE_C, "schemaUrl": SCHEMA_A, "logRecords": LOGS_C}]},
        {"resource": RESOURCE_C, "schemaUrl": "", "scopeLogs": [
            {"scope": SCOPE_A, "logRecords": LOGS_D}]}]}


def span(number, **fields):
    """A span whose trace and span ids are set unless told otherwise."""
    base = {"traceId": TRACE_A, "spanId": f"{number:016x}", "name": "span"}
    base.update(fields)
    return record(**base)


SPANS_A = [
    span(1, name="GET /cart", kind=2, startTimeUnixNano=str(NOON),
         endTimeUnixNano=str(NOON + 1500000000), status={"code": 1}, traceState="a=1,b=2", flags=1,
         attributes={"http.status": 200, "x": "abc", "ok": True}),
    span(2, name="SELECT", kind=3, parentSpanId="0000000000000001",
         startTimeUnixNano=str(NOON + 10), endTimeUnixNano=str(NOON + 1000000010),
         status={"code": 2, "message": "timed out"}, droppedAttributesCount=1,
         attributes={"http.status": 500, "x": "", "ok": False}),
    span(3, name="publish", kind=4, parentSpanId="0000000000000001",
         startTimeUnixNano=str(NOON), endTimeUnixNano=str(NOON + 1000000000), status={},
         droppedEventsCount=2, attributes={"http.status": "200", "x": 200}),
    span(4, name="consume", kind=5, parentSpanId=SPAN_B, startTimeUnixNano=str(NOON),
         endTimeUnixNano=str(NOON), droppedLinksCount=3,
         status={"code": 2, "message": ""}, attributes={"http.status": 200.0, "x": EMPTY}),
    span(5, name="inner", kind=1, startTimeUnixNano=str(NOON + 5), endTimeUnixNano=str(NOON),
         status={"code": 0, "message": "unset with message"},
         attributes={"x": b"\xbe\xef", "m": {"x": 1}}),
    span(6, name="", kind=0, attributes={}),
    record(),
    span(8, name="GET /cart", kind=9, startTimeUnixNano="0", endTimeUnixNano="1",
         status={"code": 7}),
    span(9, name="Straße 世界", kind=2, traceState="rojo=00f067aa0ba902b7", flags=4294967295,
         traceId=TRACE_B, startTimeUnixNano="1", endTimeUnixNano=str(3600 * 10**9 + 1),
         attributes={"m": {"x": "abc", "y": [1, 2]}, "a": ["first", 2, 3.5]}),
]
SPANS_B = [
    span(10, name="lone trace", spanId="", attributes={"x": 2**53 + 1, "y": 2.0**53}),
    span(11, name="lone span", traceId="", parentSpanId="", attributes={"x": 2**63 - 1, "y": 0}),
    span(12, name="get /cart", kind=3, startTimeUnixNano=str(NOON),
         endTimeUnixNano=str(NOON + 999999999), attributes={"x": NAN, "y": NAN}),
    span(13, name="GET /order", kind=2, parentSpanId="000000000000000c",
         startTimeUnixNano=str(NOON), endTimeUnixNano=str(NOON + 1000000001),
         status={"code": 1, "message": "fine"}, droppedAttributesCount=4294967295,
         droppedEventsCount=4294967295, droppedLinksCount=4294967295,
         attributes={"x": -1, "y": -1.0, "http.status": 404}),
    span(14, name="events", kind=1, startTimeUnixNano=str(NOON), endTimeUnixNano=str(NOON + 60),
         events=[record(timeUnixNano=str(NOON + 1), name="exception", attributes={"x": "abc"}),
                 record(timeUnixNano=str(NOON + 2), name="")],
         links=[record(traceId=TRACE_B, spanId=SPAN_B, traceState="l=1", attributes={"x": 1})],
         attributes={"x": ["abc"], "y": []}),
    span(15, name="a\"b\\c\nd", kind=5, attributes={"x": {"k": "v"}, "y": {}, "": "empty key"}),
]
SPANS_C = [
    span(16, traceId=TRACE_B, parentSpanId=SPAN_A, kind=1, traceState="",
         startTimeUnixNano=str(2**63 - 1), endTimeUnixNano=str(2**63 - 1), attributes={"x": "ABC"}),
    span(17, kind=2, startTimeUnixNano=str(NOON), endTimeUnixNano=str(NOON + 60 * 10**9),
         status={"code": 2, "message": "Straße"}, attributes={"x": "abc", "http.status": 503}),
    span(18, kind=3, startTimeUnixNano=str(NOON), endTimeUnixNano=str(NOON + 1), flags=257,
         status={"code": 1}, attributes={"x": "abcabc", "http.status": EMPTY}),
    span(19, kind=4, attributes={"x": True, "http.status": -1}),
    span(20, kind=5, attributes={"x": False, "http.status": [200]}),
]
SPANS_D = [
    span(21, name="batch", startTimeUnixNano=str(NOON + 86400 * 10**9),
         endTimeUnixNano=str(NOON + 2 * 86400 * 10**9), attributes={"x": 1.5}),
    span(22, name="batch.step", parentSpanId="0000000000000015", kind=2,
         startTimeUnixNano=str(NOON), endTimeUnixNano=str(NOON + 2 * 10**9),
         status={"code": 2, "message": "deadline exceeded"}, attributes={"x": INFINITY}),
    span(23, name="batch.step", parentSpanId="0000000000000015", kind=2, traceState="a=1",
         startTimeUnixNano=str(NOON), endTimeUnixNano=str(NOON + 1500000),
         attributes={"x": -INFINITY, "y": -0.0}),
    span(24, name="x" * 200, parentSpanId="0000000000000000", attributes={"x": "x" * 200}),
    span(25, name="null trace", traceId="00000000000000000000000000000000",
         spanId="0000000000000000", attributes={"x": " abc "}),
]


def export_traces():
    return {"resourceSpans": [
        {"resource": RESOURCE_A, "schemaUrl": SCHEMA_A, "scopeSpans": [
            {"scope": SCOPE_A, "schemaUrl": SCHEMA_B, "spans": SPANS_A},
            {"scope": SCOPE_C, "spans": SPANS_B}]},
        {"resource": RESOURCE_B, "scopeSpans": [
            {"scope": SCOPE_B, "spans": SPANS_C}]},
        {"resource": RESOURCE_C, "schemaUrl": SCHEMA_B, "scopeSpans": [
            {"scope": SCOPE_C, "schemaUrl": SCHEMA_A, "spans": SPANS_D}]}]}


def number(given):
    """The value of a number point."""
    if isinstance(given, int):
        return {"asInt": str(given)}
    return {"asDouble": value(given)["doubleValue"]}


def times(start=None, end=None):
    fields = {}
    if start is not None:
        fields["startTimeUnixNano"] = str(start)
    if end is not None:
        fields["timeUnixNano"] = str(end)
    return fields


GAUGES = [
    {"name": "cpu.load", "unit": "1", "description": "The load of a processor", "gauge": {
        "dataPoints": [
            record(**times(NOON, NOON + 60 * 10**9), **number(0.5), flags=0,
                   attributes={"cpu": 0, "x": "abc"}),
            record(**times(end=NOON + 1), **number(5), attributes={"cpu": "0", "x": 200}),
            record(**times(0, 0), **number(-0.0), attributes={"cpu": 0.0, "x": EMPTY}),
            record(**number(NAN), attributes={"x": "", "m": {"x": "abc"}, "a": [1, "b"]}),
            record(flags=1, attributes={"x": b"\xbe\xef"}),
            record(**number(INFINITY), flags=4294967295),
        ]}},
    {"name": "", "gauge": {"dataPoints": [
        record(**number(2**63 - 1), attributes={"x": True}),
        record(**number(-2**63)),
        record(**number(2**53 + 1), flags=2, attributes={"": "empty key", "ключ": "значение"}),
        record(**number(0)),
        record(**number(1e308)),
    ]}},
]
SUMS = [
    {"name": "requests", "unit": "{request}", "sum": {
        "aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [
            record(**times(NOON, NOON + 10**9), **number(42), attributes={"x": "abc", "code": 200}),
            record(**times(NOON, NOON + 2 * 10**9), **number(42.0),
                   attributes={"x": "ABC", "code": 200.0}),
            record(flags=1, attributes={"code": "200"}),
        ]}},
    {"name": "queue.size", "description": "été", "sum": {
        "aggregationTemporality": 1, "isMonotonic": False, "dataPoints": [
            record(**times(NOON, NOON), **number(-3), attributes={"x": "a", "code": -1}),
            record(**number(0.1)),
        ]}},
    {"name": "odd", "unit": "ms", "sum": {"aggregationTemporality": 0, "dataPoints": [
        record(**number(-1.5), attributes={"x": ["abc"], "code": EMPTY}),
        record()]}},
]
HISTOGRAMS = [
    {"name": "latency", "unit": "ms", "description": "How long it took", "histogram": {
        "aggregationTemporality": 2, "dataPoints": [
            record(**times(NOON, NOON + 10**9), count="10", sum=123.5,
                   bucketCounts=["1", "2", "3", "4"], explicitBounds=[0.5, 10, 250.25], min=0.1,
                   max=99, attributes={"x": "abc"}),
            record(**times(NOON, NOON + 10**9), count="0", bucketCounts=[], explicitBounds=[]),
            record(count="5", sum=0, bucketCounts=["5"], explicitBounds=[], attributes={"x": 200}),
            record(flags=1, attributes={"x": "none"}),
        ]}},
    {"name": "sizes", "unit": "By", "histogram": {"aggregationTemporality": 1, "dataPoints": [
        record(count=str(2**53 + 1), sum=-7.25, bucketCounts=["0", str(2**53 + 1)],
               explicitBounds=[-1.5], exemplars=[record(timeUnixNano="5", asDouble=1.5)]),
    ]}},
]
EXPONENTIALS = [
    {"name": "latency.exp", "unit": "s", "exponentialHistogram": {
        "aggregationTemporality": 1, "dataPoints": [
            record(**times(NOON, NOON + 10**9), count="12", sum=100, scale=3, zeroCount="2",
                   positive={"offset": 1, "bucketCounts": ["1", "0", "4"]},
                   negative={"offset": -2, "bucketCounts": ["5"]}, zeroThreshold=0.001,
                   attributes={"x": "abc"}),
            record(count="0", scale=-10, attributes={"x": 1.5}),
            record(count="3", scale=0, zeroCount="3", positive={}, negative={"offset": 0},
                   flags=1),
        ]}},
    {"name": "Latency.Exp", "exponentialHistogram": {
        "aggregationTemporality": 2, "dataPoints": [
            record(count="7", sum=-1, scale=20, zeroCount="0",
                   positive={"offset": 2147483647, "bucketCounts": ["7"]},
                   negative={"offset": -2147483648, "bucketCounts": []}),
        ]}},
]
SUMMARIES = [
    {"name": "rpc", "unit": "s", "summary": {"dataPoints": [
        record(**times(NOON, NOON + 10**9), count="100", sum=50.5,
               quantileValues=[{"quantile": 0, "value": 0.1}, {"quantile": 0.99, "value": 9.5}],
               attributes={"x": "abc"}),
        record(count="0", sum=0, flags=1),
        record(attributes={"x": False}),
    ]}},
]


def export_metrics():
    return {"resourceMetrics": [
        {"resource": RESOURCE_A, "schemaUrl": SCHEMA_A, "scopeMetrics": [
            {"scope": SCOPE_A, "schemaUrl": SCHEMA_B, "metrics": GAUGES},
            {"scope": SCOPE_B, "metrics": SUMS}]},
        {"resource": RESOURCE_B, "scopeMetrics": [
            {"scope": SCOPE_C, "metrics": HISTOGRAMS + EXPONENTIALS[:1]}]},
        {"resource": RESOURCE_C, "scopeMetrics": [
            {"scope": SCOPE_A, "schemaUrl": SCHEMA_A, "metrics": EXPONENTIALS[1:] + SUMMARIES}]}]}


def main():
    folder = pathlib.Path(__file__).parent
    for name, export in (("logs", export_logs), ("traces", export_traces),
                         ("metrics", export_metrics)):
        text = json.dumps(export(), ensure_ascii=False, indent=1)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
