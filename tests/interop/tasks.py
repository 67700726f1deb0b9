#!/usr/bin/env python3
"""The tasks of an engineer at night, one command line each, checked against the requests that were archived.

The answers are worked out here from the OTLP requests, with Google's protobuf and none of our code. Prints a row for each
task: the command, when its first byte came and how long it took, warm (the second of two runs), and what was checked.
"""
import argparse
import collections
import concurrent.futures
import csv
import http.server
import json
import os
import pathlib
import shutil
import signal as signals
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import duckdb
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from world import Failure, free_port, wait_for_port

REQUESTS = {"logs": ExportLogsServiceRequest, "traces": ExportTraceServiceRequest, "metrics": ExportMetricsServiceRequest}
PATHS = {"logs": "/v1/logs", "traces": "/v1/traces", "metrics": "/v1/metrics"}
SECOND = 1_000_000_000
ERROR_SEVERITY = 17
BEGIN = 1_795_611_600 * SECOND  # 2026-11-25 13:00:00Z
SERVICES = ("cart", "checkout", "frontend", "payments")
SENDERS = 32
MOST_PERCENT, MOST_BYTES = 2.0, 1_000_000  # a page of one column alone is 160 kB: of a small archive that is much

Item = collections.namedtuple("Item", "signal service time severity status trace span body attributes")


def text_of(value):
    """An AnyValue as text that is the same for the same value."""
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return "{" + ",".join(f"{one.key}={text_of(one.value)}" for one in value.kvlist_value.values) + "}"
    if kind == "array_value":
        return "[" + ",".join(text_of(one) for one in value.array_value.values) + "]"
    if kind == "double_value":
        return f"{kind}:{value.double_value + 0.0!r}"  # upstream's exporter loses the sign of zero
    return "" if kind is None else f"{kind}:{getattr(value, kind)!r}"


def attributes_of(item):
    return tuple(sorted((one.key, text_of(one.value)) for one in item.attributes))


def points_of(metric):
    kind = metric.WhichOneof("data")
    return getattr(metric, kind).data_points if kind else ()


def items_of(signal, request):
    """The items of a request, as far as they are compared."""
    resources = {"logs": "resource_logs", "traces": "resource_spans", "metrics": "resource_metrics"}[signal]
    for resource in getattr(request, resources):
        service = next((one.value.string_value for one in resource.resource.attributes if one.key == "service.name"), "")
        if signal == "logs":
            for scope in resource.scope_logs:
                for log in scope.log_records:
                    yield Item(signal, service, log.time_unix_nano or log.observed_time_unix_nano, log.severity_number, 0,
                               log.trace_id.hex(), log.span_id.hex(), text_of(log.body), attributes_of(log))
        elif signal == "traces":
            for scope in resource.scope_spans:
                for span in scope.spans:
                    yield Item(signal, service, span.start_time_unix_nano, 0, span.status.code, span.trace_id.hex(),
                               span.span_id.hex(), f"{span.name} {span.end_time_unix_nano}", attributes_of(span))
        else:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in points_of(metric):
                        yield Item(signal, service, point.time_unix_nano, 0, 0, "", "", metric.name, attributes_of(point))


def requests_in(path):
    """The requests behind their lengths in a file."""
    data = pathlib.Path(path).read_bytes()
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        yield data[at + 4:at + 4 + size]
        at += 4 + size


def items_in(signal, paths):
    return [item for path in paths for data in requests_in(path) for item in items_of(signal, REQUESTS[signal].FromString(data))]


class Sink:
    """An OTLP/HTTP server that keeps what it gets; each answer takes so long."""

    def __init__(self, delay=0.0):
        self.items, self.lock = [], threading.Lock()
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                data = self.rfile.read(int(self.headers["Content-Length"]))
                signal = next(name for name, path in PATHS.items() if path == self.path)
                time.sleep(delay)
                with sink.lock:
                    sink.items += items_of(signal, REQUESTS[signal].FromString(data))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


Ran = collections.namedtuple("Ran", "code out error first_ms all_ms read_bytes")


class Engine:
    """The program, with a cache of its own."""

    def __init__(self, binary, work):
        self.binary, self.environment = binary, {**os.environ, "XDG_CACHE_HOME": str(work / "cache"), "HOME": str(work)}

    def start(self, *arguments):
        return subprocess.Popen([self.binary, *arguments], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *arguments):
        begin = time.monotonic()
        process = self.start(*arguments)
        errors = []
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
        reader.start()
        first = process.stdout.read(1)
        first_ms = (time.monotonic() - begin) * 1000
        out = first + process.stdout.read()
        reader.join()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # its numbers are there until it is waited for
        counts = dict(line.split(": ") for line in pathlib.Path(f"/proc/{process.pid}/io").read_text().splitlines())
        code = process.wait()
        return Ran(code, out.decode(), errors[0].decode(), first_ms, (time.monotonic() - begin) * 1000, int(counts["rchar"]))

    def warm(self, *arguments):
        self.run(*arguments)
        return self.run(*arguments)


def expect(holds, what):
    if not holds:
        raise Failure(what)


def same(found, expected, what):
    found, expected = collections.Counter(found), collections.Counter(expected)
    if found != expected:
        raise Failure(f"{what}: {(found - expected).total()} are wrong, {(expected - found).total()} are missing: "
                      f"{list((found - expected).items())[:1]} {list((expected - found).items())[:1]}")


def nanos(text):
    """Nanoseconds of an RFC 3339 time, or of a number."""
    if isinstance(text, int) or text.isdigit():
        return int(text)
    whole, _, rest = text.rstrip("Z").partition(".")
    seconds = int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))) - time.timezone
    return seconds * SECOND + int((rest + "000000000")[:9])


class Tasks:
    """The tasks over one archive whose items are known."""

    def __init__(self, engine, name, lake, items, work):
        self.engine, self.name, self.lake, self.items, self.work = engine, name, str(lake), items, work
        self.rows = []
        everything = [item for of_signal in items.values() for item in of_signal]
        counts = collections.Counter(item.service for item in items["traces"] if item.service)
        self.service = counts.most_common(1)[0][0]
        times = sorted(item.time for item in everything if item.time)
        self.begin, self.end = times[len(times) // 4], times[len(times) // 2]

    def row(self, task, line, ran, checked):
        self.rows.append((self.name, task, line, ran.first_ms, ran.all_ms, checked))

    def selected(self):
        return [item for items in self.items.values() for item in items if self.begin <= item.time < self.end]

    def what_is_here(self):
        ran = self.engine.warm("inspect", self.lake, "--json", "-q")
        answer = json.loads(ran.out)
        for signal, items in self.items.items():
            told = answer["signals"][signal]
            expect(told["items"] == len(items), f"{signal}: {told['items']} items, expected {len(items)}")
            times = [item.time for item in items if item.time]
            expect(nanos(told["first"]) == min(times) and nanos(told["last"]) == max(times), f"{signal}: {told}")
        services = sorted({item.service for items in self.items.values() for item in items if item.service})
        expect(answer["services"] == services, f"services {answer['services']}, expected {services}")
        self.row("i", "inspect LAKE", ran, "items, first and last times, services")

    def last_errors(self):
        ran = self.engine.warm("logs", self.lake, "--service", self.service, "--errors", "-n", "20", "--json", "-q")
        told = [json.loads(line) for line in ran.out.splitlines()]
        errors = sorted((item.time for item in self.items["logs"]
                         if item.service == self.service and item.severity >= ERROR_SEVERITY))
        expect([nanos(one["time"]) for one in told] == errors[-20:], "not the last 20 in the order of time")
        self.row("ii", f"logs LAKE --service {self.service} --errors -n 20", ran, f"the last 20 of {len(errors)}")

    def window(self):
        with Sink() as sink:
            ran = self.engine.run("replay", self.lake, "--from", f"{self.begin}ns", "--until", f"{self.end}ns", "--to", sink.url,
                                  "--json")
            expect(ran.code == 0, f"exit code {ran.code}: {ran.error}")
            same(sink.items, self.selected(), "items of the window")
        self.row("iii", "replay LAKE --from T1 --until T2 --to http://..", ran, f"{len(self.selected())} items arrived, no others")

    def one_trace(self):
        traces = collections.Counter(item.trace for item in self.items["traces"])
        trace = max(traces, key=lambda one: (traces[one], one))
        ran = self.engine.warm("trace", self.lake, trace, "--json", "-q")
        found = collections.Counter()

        def add(spans):
            for span in spans:
                found[span["span_id"]] += 1
                add(span.get("children", []))

        add(json.loads(ran.out)["spans"])
        same(found, collections.Counter(item.span for item in self.items["traces"] if item.trace == trace), "spans of the trace")
        self.row("iv", "trace LAKE ID", ran, f"{found.total()} spans of {len(traces)} traces")

    def spans_per_service(self):
        ran = self.engine.warm("count", self.lake, "spans", "--by", "service", "--json", "-q")
        told = {one["service"] or "": one["count"] for one in map(json.loads, ran.out.splitlines())}
        expected = collections.Counter(item.service for item in self.items["traces"])
        expect(told == dict(expected), f"{told}, expected {dict(expected)}")
        self.row("v", "count LAKE spans --by service", ran, f"{len(expected)} services")

    def convert(self):
        out = self.work / f"{self.name}-otlp"
        ran = self.engine.run("convert", self.lake, "--to", "otlp-proto", "-o", str(out), "-q")
        expect(ran.code == 0, ran.error)
        for signal, items in self.items.items():
            same(items_in(signal, sorted(out.glob(f"{signal}*.binpb"))), items, signal)
        self.row("vi", "convert LAKE --to otlp-proto -o OUT", ran, "every item")
        flat = self.work / f"{self.name}-flat"
        ran = self.engine.run("convert", self.lake, "--to", "flat-parquet", "-o", str(flat), "-q")
        expect(ran.code == 0, ran.error)
        for signal, table in (("logs", "logs"), ("traces", "spans"), ("metrics", "points")):
            count = duckdb.sql(f"SELECT count(*) FROM read_parquet('{flat}/{table}*.parquet')").fetchall()[0][0]
            expect(count == len(self.items[signal]), f"{count} rows of {table}, expected {len(self.items[signal])}")
        per_service = dict(duckdb.sql(
            f"SELECT coalesce(service, ''), count(*) FROM read_parquet('{flat}/spans*.parquet') GROUP BY 1").fetchall())
        expect(per_service == dict(collections.Counter(item.service for item in self.items["traces"])), f"{per_service}")
        self.row("vi", "convert LAKE --to flat-parquet -o OUT", ran, "rows and services, by DuckDB")
        comma = self.work / f"{self.name}.csv"
        ran = self.engine.run("convert", self.lake, "--to", "csv", "--signal", "spans", "-o", str(comma), "-q")
        with open(comma, newline="") as rows:
            ids = collections.Counter(row["span_id"] for row in csv.DictReader(rows))
        same(ids, collections.Counter(item.span for item in self.items["traces"]), "span ids")
        self.row("vi", "convert LAKE --to csv --signal spans -o F", ran, "span ids")

    def pace(self):
        selected = self.selected()
        times = [item.time for item in selected if item.time > 0]
        took = (max(times) - min(times)) / 1e9
        factor = max(took / 2, 0.001)  # two seconds of it
        with Sink() as sink:
            begin = time.monotonic()
            ran = self.engine.run("replay", self.lake, "--from", f"{self.begin}ns", "--until", f"{self.end}ns", "--to", sink.url,
                                  "--speed", f"{factor:.6f}x", "-q")
            seconds = time.monotonic() - begin
            expect(ran.code == 0, f"exit code {ran.code}: {ran.error}")
            same(sink.items, selected, "items of the window")
        expect(seconds > 1.8, f"{took:.0f} s of records in {seconds:.2f} s at {factor:.3f}x")
        self.row("vii", "replay LAKE --from T1 --until T2 --to .. --speed 10x", ran,
                 f"{len(selected)} items, {took:.0f} s of them in {seconds:.1f} s at {factor:.1f}x")

    def resume(self):
        receipts = [str(self.work / f"{self.name}-{i}.json") for i in range(2)]
        with Sink(delay=0.3) as sink:
            process = self.engine.start("replay", self.lake, "--to", sink.url, "--receipt", receipts[0], "-q")
            everything = sum(len(items) for items in self.items.values())
            while process.poll() is None and len(sink.items) < everything // 10:
                time.sleep(0.001)
            process.send_signal(signals.SIGINT)
            process.communicate()
            first = len(sink.items)
            if process.returncode == 0 and first == everything:
                same(sink.items, [item for items in self.items.values() for item in items], "items")
                print(f"[tasks] {self.name}: all was in flight when ^C came, and arrived: nothing to resume", file=sys.stderr)
                return
            expect(process.returncode == 130 and first < everything, f"exit code {process.returncode} after {first} items")
            ran = self.engine.run("replay", self.lake, "--to", sink.url, "--resume", receipts[0], "--receipt", receipts[1], "-q")
            expect(ran.code == 0, f"exit code {ran.code}: {ran.error}")
            same(sink.items, [item for items in self.items.values() for item in items], "items of both runs")
        self.row("viii", "^C; replay LAKE --to .. --resume RECEIPT", ran, f"{first} and {everything - first} items, none twice")

    def run(self):
        for task in (self.what_is_here, self.last_errors, self.window, self.one_trace, self.spans_per_service, self.convert,
                     self.pace, self.resume):
            task()
        return self.rows


def attribute(key, **value):
    return {"key": key, "value": value}


def resource_of(service):
    return {"attributes": [attribute("service.name", stringValue=service), attribute("host.name", stringValue=f"{service}-0")]}


def traffic(seconds, per_second):
    """OTLP JSON requests of logs, spans and points of four services: so many logs and spans in each second."""
    for second in range(seconds):
        logs, spans = collections.defaultdict(list), collections.defaultdict(list)
        for i in range(per_second):
            number = second * per_second + i
            service = SERVICES[number % len(SERVICES)]
            begin = BEGIN + second * SECOND + i * SECOND // per_second
            trace, span = f"{number // 3 + 1:032x}", f"{number + 1:016x}"
            failed = number % 51 == 7
            logs[service].append({
                "timeUnixNano": str(begin), "severityNumber": 17 if failed else 9, "severityText": "ERROR" if failed else "INFO",
                "body": {"stringValue": f"payment declined: order={number}" if failed else f"took {number % 977} ms"},
                "traceId": trace, "spanId": span,
                "attributes": [attribute("order.id", intValue=str(number)), attribute("latency_ms", doubleValue=number % 977 / 2)]})
            spans[service].append({
                "traceId": trace, "spanId": span, "name": "charge", "kind": 2, "startTimeUnixNano": str(begin),
                "endTimeUnixNano": str(begin + number % 977 * 500_000), "status": {"code": 2 if failed else 1},
                "attributes": [attribute("http.response.status_code", intValue="500" if failed else "200")]})
        yield "logs", {"resourceLogs": [{"resource": resource_of(service), "scopeLogs": [{"logRecords": items}]}
                                        for service, items in logs.items()]}
        yield "traces", {"resourceSpans": [{"resource": resource_of(service), "scopeSpans": [{"spans": items}]}
                                           for service, items in spans.items()]}
        if second % 15 == 0:
            yield "metrics", {"resourceMetrics": [{"resource": resource_of(service), "scopeMetrics": [{"metrics": [
                {"name": "queue.length", "gauge": {"dataPoints": [{"timeUnixNano": str(BEGIN + second * SECOND),
                                                                   "asInt": str(second)}]}}]}]} for service in SERVICES]}


def archive(engine, work, name, seconds, per_second):
    """Archives traffic by `receive`, as a user would. Returns the archive and what went into it."""
    lake, port = work / name, free_port()
    receiver = engine.start("receive", "--to", str(lake), "--listen", f",{port}", "-q")
    items = {signal: [] for signal in REQUESTS}
    try:
        wait_for_port(port, receiver)
        from google.protobuf import json_format
        def send(signal, data):
            urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{PATHS[signal]}", data,
                                                          {"Content-Type": "application/json"})).read()

        # Many at once: a sender is answered when its items are safe, which takes half a second.
        with concurrent.futures.ThreadPoolExecutor(SENDERS) as senders:
            answers = []
            for signal, request in traffic(seconds, per_second):
                data = json.dumps(request).encode()
                answers.append(senders.submit(send, signal, data))
                # Ids are hexadecimal in OTLP JSON and base64 in that of protobuf.
                parsed = json_format.Parse(rewrite_ids(data.decode()), REQUESTS[signal]())
                items[signal] += items_of(signal, parsed)
            for answer in answers:
                answer.result()
    finally:
        receiver.send_signal(signals.SIGTERM)
        receiver.communicate()
    expect(receiver.returncode in (0, 143), f"receive ended with {receiver.returncode}")
    return lake, items


def rewrite_ids(text):
    import base64
    import re
    return re.sub(r'"(traceId|spanId)": "([0-9a-f]+)"',
                  lambda found: f'"{found[1]}": "{base64.b64encode(bytes.fromhex(found[2])).decode()}"', text)


def many_files(engine, work, lake, copies):
    """First output over some 10,000 files: one partition so many times. All have the same times, so which records are
    the last is told by reading all of them: the worst case, whose milliseconds are shown and not judged."""
    base = work / "many"
    files = 0
    for table in sorted(path for path in pathlib.Path(lake).iterdir() if path.is_dir() and not path.name.startswith("_")):
        sources = sorted(table.rglob("*.parquet"))[:1]
        for copy in range(copies):
            folder = base / table.name / f"_part_id=copy-{copy:05}"
            folder.mkdir(parents=True)
            for source in sources:
                shutil.copyfile(source, folder / source.name)
                files += 1
    rows = []
    for line in (("inspect",), ("logs", "-n", "20"), ("count", "spans")):
        arguments = (line[0], str(base), *line[1:], "-q")
        engine.run(*arguments)
        ran = min((engine.run(*arguments) for _ in range(3)), key=lambda one: one.first_ms)
        rows.append((f"{files} files", "-", f"{line[0]} LAKE {' '.join(line[1:])}", ran.first_ms, ran.all_ms,
                     "all partitions have the same times"))
    return rows


def bytes_of_a_day(engine, lake):
    """`logs -n 20` reads the end of an archive only."""
    size = sum(path.stat().st_size for path in pathlib.Path(lake).rglob("*.parquet"))
    nothing = engine.run("--version").read_bytes
    ran = engine.warm("logs", str(lake), "-n", "20", "-q")
    read = ran.read_bytes - nothing
    percent = read * 100 / size
    return ("day", "ii", "logs LAKE -n 20", ran.first_ms, ran.all_ms,
            f"{'' if percent < MOST_PERCENT or read < MOST_BYTES else 'TOO MUCH: '}{read / 1e3:.0f} kB, "
            f"{percent:.2f} % of {size / 1e6:.1f} MB read")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--shared", type=pathlib.Path, help="real input, where it is there")
    parser.add_argument("--only", help="archives with this in their names")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="df-tasks-") as folder:
        work = pathlib.Path(folder)
        engine = Engine(str(arguments.build / "df_engine"), work)
        rows, failures = [], []

        def check(name, lake, items):
            tasks = Tasks(engine, name, lake, items, work)
            for task in (tasks.what_is_here, tasks.last_errors, tasks.window, tasks.one_trace, tasks.spans_per_service,
                         tasks.convert, tasks.pace, tasks.resume):
                try:
                    task()
                except Failure as failure:
                    failures.append(f"{name}: {task.__name__}: {failure}")
            rows.extend(tasks.rows)

        wanted = lambda name: not arguments.only or arguments.only in name
        if wanted("ours"):
            lake, items = archive(engine, work, "ours", seconds=360, per_second=400)
            check("ours", lake, items)
            small, _ = archive(engine, work, "small", seconds=2, per_second=20)
            rows.extend(many_files(engine, work, small, 10_000 // sum(1 for path in small.iterdir() if path.is_dir())))
        if wanted("day"):
            lake, _ = archive(engine, work, "day", seconds=300, per_second=1_600)
            rows.append(bytes_of_a_day(engine, lake))
        for name in ("upstream-corner", "upstream-steady"):
            source = arguments.shared / "data" / name if arguments.shared else None
            if not wanted(name):
                continue
            if source is None or not source.is_dir():
                print(f"[tasks] {name} is not there: left out", file=sys.stderr)
                continue
            items = {signal: items_in(signal, [source / f"{signal}.otlp"]) for signal in REQUESTS}
            check(name, source / "parquet", items)
        print(f"{'archive':16} {'task':5} {'first ms':>8} {'all ms':>8}  {'one line':62} answer")
        for name, task, line, first, whole, checked in rows:
            print(f"{name:16} {task:5} {first:8.0f} {whole:8.0f}  {line:62} {checked}")
        for failure in failures:
            print(f"WRONG: {failure}")
        bad = len(failures) + sum("SLOW" in row[5] or "TOO MUCH" in row[5] for row in rows)
        print(f"{len(rows)} lines, {bad} wrong")
        return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
