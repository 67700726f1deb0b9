#!/usr/bin/env python3
"""Measures OTLP/gRPC forwarding: df_engine beside an OpenTelemetry Collector, in turns, on one core each.

Usage: forward.py --build DIR --collector FILE --requests FILE [--signal logs] [--rounds 3] [--seconds 4]
The forwarder has the first core for itself; who sends (grpcio) and who receives (df_engine, into nothing) share the
second. Prints for each forwarder what went through and the processor time that it took: the forwarder that waits for the
others is not at its limit, so that bytes a second of its own processor time are the figure to compare.
Exit code: 0 where df_engine forwards at least twice as much for its processor time, 1 elsewhere.
"""
import argparse
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "interop"))
import senders  # noqa: E402
from world import World, free_port, read_requests  # noqa: E402

WANTED_RATIO = 2.0
IN_FLIGHT = 16


def cpu_seconds(pid):
    """Processor time that a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pin(pid, core):
    """Keeps every thread of a process on one core."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {core})


def load(port, method, requests, seconds):
    """Sends requests, IN_FLIGHT at a time; returns (bytes, requests) that were answered."""
    room = threading.Semaphore(IN_FLIGHT)
    lock = threading.Lock()
    total = [0, 0]
    failures = []

    def done(call, size):
        room.release()
        if call.code() != grpc.StatusCode.OK:
            failures.append(str(call.details()))
            return
        with lock:
            total[0] += size
            total[1] += 1

    with grpc.insecure_channel(f"localhost:{port}", [("grpc.max_send_message_length", -1)]) as channel:
        call = channel.unary_unary(method)
        end = time.monotonic() + seconds
        at = 0
        while time.monotonic() < end and not failures:
            room.acquire()
            request = requests[at % len(requests)]
            at += 1
            future = call.future(request, timeout=30)
            future.add_done_callback(lambda f, size=len(request): done(f, size))
        for _ in range(IN_FLIGHT):
            room.acquire()
    if failures:
        raise SystemExit(f"forward: a request was refused: {failures[0]}")
    return total


class Forwarder:
    """One of the two, started anew for each round."""

    def __init__(self, name, start):
        self.name, self.start = name, start
        self.per_cpu, self.per_wall, self.share = [], [], []

    def measure(self, sink_port, method, requests, seconds, core):
        port = free_port()
        with self.start(port, sink_port) as program:
            pid = program.process.pid
            pin(pid, core)
            load(port, method, requests, seconds / 4)  # warm
            cpu, wall = cpu_seconds(pid), time.monotonic()
            size, _ = load(port, method, requests, seconds)
            cpu, wall = cpu_seconds(pid) - cpu, time.monotonic() - wall
        self.per_cpu.append(size / 1e6 / cpu)
        self.per_wall.append(size / 1e6 / wall)
        self.share.append(cpu / wall)

    def line(self):
        values = (statistics.median(v) for v in (self.per_wall, self.share, self.per_cpu))
        return "{:14} {:10.0f} {:12.2f} {:16.0f}".format(self.name, *values)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--collector", type=pathlib.Path, required=True)
    parser.add_argument("--requests", type=pathlib.Path, required=True)
    parser.add_argument("--signal", default="logs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("forward: two cores are needed, one for the forwarder and one for its neighbours")
    os.environ["GOMAXPROCS"] = "1"  # the Collector's share is one core, as the engine's
    requests = list(read_requests(options.requests))
    with tempfile.TemporaryDirectory() as work:
        world = World(options.build.resolve(), pathlib.Path(work), options.collector.resolve())
        sequence = iter(range(1000))

        def receiver(port):
            protocols = {"grpc": {"listening_addr": f"127.0.0.1:{port}", "wait_for_result": True}}
            return {"type": "receiver:otlp", "config": {"protocols": protocols}}

        def engine(port, to):
            out = {"type": "exporter:otlp_grpc", "config": {"grpc_endpoint": f"http://localhost:{to}"}}
            return world.engine(world.folder(f"engine-{next(sequence)}"), "engine",
                                {"in": receiver(port), "out": out}, [("in", "out")])

        def collector(port, to):
            out = {"endpoint": f"localhost:{to}", "compression": "none", "tls": {"insecure": True}}
            return world.collector(world.folder(f"collector-{next(sequence)}"), "collector",
                                   {"grpc": {"endpoint": f"localhost:{port}"}}, "otlp", out, [port])

        sink_port = free_port()
        nodes = {"in": receiver(sink_port), "out": {"type": "exporter:noop", "config": {}}}
        forwarders = [Forwarder("df_engine", engine), Forwarder("Collector", collector)]
        with world.engine(world.folder("sink"), "sink", nodes, [("in", "out")]) as sink:
            pin(sink.process.pid, cores[1])
            os.sched_setaffinity(0, {cores[1]})
            for _ in range(options.rounds):
                for forwarder in forwarders:
                    forwarder.measure(sink_port, senders.METHODS[options.signal], requests, options.seconds, cores[0])
    size = sum(map(len, requests)) / len(requests)
    print(f"{options.signal}, requests of {size / 1e3:.0f} kB, {IN_FLIGHT} in flight, median of {options.rounds} rounds")
    print("{:14} {:>10} {:>12} {:>16}".format("forwarder", "MB/s", "cores used", "MB/s of own cpu"))
    for forwarder in forwarders:
        print(forwarder.line())
    ratio = statistics.median(forwarders[0].per_cpu) / statistics.median(forwarders[1].per_cpu)
    wall = statistics.median(forwarders[0].per_wall) / statistics.median(forwarders[1].per_wall)
    print(f"df_engine forwards {ratio:.2f} x as much for its processor time (wanted: {WANTED_RATIO}), "
          f"{wall:.2f} x as much in the same time")
    return 0 if ratio >= WANTED_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
