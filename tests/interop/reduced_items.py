"""Tells whether items went out as they are, some of them without what hangs on them, and none with another value."""
import collections

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from world import read_requests

REQUESTS = {"logs": ExportLogsServiceRequest, "traces": ExportTraceServiceRequest,
            "metrics": ExportMetricsServiceRequest}
# Rows of tables of their own, which may be missing; all else is in the row of the item.
HANGING = ("attributes", "events", "links", "exemplars")


def hanging(prefix, message):
    """Takes what hangs on a message off it; returns it as texts, what hangs deeper by itself."""
    found = []
    for name in HANGING:
        if name in message.DESCRIPTOR.fields_by_name:
            for each in getattr(message, name):
                if name != "attributes":
                    inner = type(each)()
                    inner.CopyFrom(each)
                    for deep in ("attributes", "filtered_attributes"):
                        if deep in inner.DESCRIPTOR.fields_by_name:
                            found += [f"{prefix}{name}.{deep} {kv.SerializeToString(deterministic=True)!r}"
                                      for kv in getattr(inner, deep)]
                            inner.ClearField(deep)
                    each = inner
                found.append(f"{prefix}{name} {each.SerializeToString(deterministic=True)!r}")
            message.ClearField(name)
    return found


def leaves(signal, scoped):
    """The items below a scope: pairs of (what stands above it, the item)."""
    if signal == "logs":
        return [(b"", record) for record in scoped.log_records]
    if signal == "traces":
        return [(b"", span) for span in scoped.spans]
    pairs = []
    for metric in scoped.metrics:
        kind = metric.WhichOneof("data")
        points = list(getattr(metric, kind).data_points) if kind else []
        head = type(metric)()
        head.CopyFrom(metric)
        above = hanging_of_metric(head)
        if kind:
            getattr(head, kind).ClearField("data_points")
        pairs += [((head.SerializeToString(deterministic=True), tuple(above)), point) for point in points]
    return pairs


def hanging_of_metric(head):
    texts = [f"metadata {kv.SerializeToString(deterministic=True)!r}" for kv in head.metadata]
    head.ClearField("metadata")
    return texts


def items(signal, path):
    """{item without what hangs on it: [set of what hangs on it]}"""
    result = collections.defaultdict(list)
    for data in read_requests(path):
        request = REQUESTS[signal].FromString(data)
        for group in getattr(request, {"logs": "resource_logs", "traces": "resource_spans",
                                       "metrics": "resource_metrics"}[signal]):
            above = hanging("resource ", group.resource)
            for scoped in getattr(group, {"logs": "scope_logs", "traces": "scope_spans",
                                          "metrics": "scope_metrics"}[signal]):
                scope = hanging("scope ", scoped.scope)
                for head, item in leaves(signal, scoped):
                    more = above + scope + (list(head[1]) if head else []) + hanging("", item)
                    key = (group.resource.SerializeToString(deterministic=True), group.schema_url,
                           scoped.scope.SerializeToString(deterministic=True), scoped.schema_url,
                           head[0] if head else b"", item.SerializeToString(deterministic=True))
                    result[key].append(frozenset(more))
    return result


def differences(signal, expected, actual):
    """How many items of `actual` are neither items of `expected` nor such without some of what hangs on them."""
    wanted, found = items(signal, expected), items(signal, actual)
    wrong = 0
    for key, sets in found.items():
        candidates = list(wanted.get(key, []))
        for each in sorted(sets, key=len, reverse=True):
            match = next((c for c in sorted(candidates, key=len) if each <= c), None)
            if match is None:
                wrong += 1
            else:
                candidates.remove(match)
    return wrong
