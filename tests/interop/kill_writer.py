"""kill -9 of the engine that writes Parquet: what was acknowledged is readable afterwards, and no file is broken.

Usage: kill_writer.py --build DIR --work DIR --generator FILE [--kills 50] [--seed N]
The engine receives OTLP/gRPC, waits for results and flushes often; it is killed at a random moment and started again over
the same folder, as often as asked. In the end the folder is replayed with --strict: every item of every request that was
acknowledged has to be there; items of requests without an answer may be. Prints the seed; exit code 1 on failure.
"""
import argparse
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import threading
import time

import grpc

import round_trip
import senders
from world import SIGNALS, Failure, World, free_port, read_requests

FLUSH = {"writer_options": {"target_rows_per_file": 400, "flush_when_older_than": "50ms"}}


class Sender(threading.Thread):
    """Sends the requests of one signal one by one until the engine is gone; remembers which were acknowledged."""

    def __init__(self, port, signal, requests):
        super().__init__()
        self.port, self.signal, self.requests = port, signal, requests
        self.acknowledged, self.unanswered = [], []

    def run(self):
        with grpc.insecure_channel(f"localhost:{self.port}") as channel:
            call = channel.unary_unary(senders.METHODS[self.signal])
            while self.requests:
                request = self.requests.pop()
                try:
                    call(request, timeout=10)
                    self.acknowledged.append(request)
                except grpc.RpcError:
                    self.unanswered.append(request)
                    return


def write_requests(path, requests):
    path.write_bytes(b"".join(struct.pack(">I", len(request)) + request for request in requests))


def count_missing(world, signal, expected, actual):
    """How many items of `expected` are not in `actual`, and the comparison's line."""
    done = subprocess.run([world.compare_binary, signal, expected, actual], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise Failure(done.stderr)
    equal, of = done.stdout.split()[1].split("/")
    return int(of) - int(equal), done.stdout.strip()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--generator", type=pathlib.Path, required=True)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    shutil.rmtree(options.work, ignore_errors=True)
    world = World(options.build.resolve(), options.work.resolve(), generator=options.generator)
    chance = random.Random(options.seed)
    folder = world.folder("killed")
    requests = {signal: list(read_requests(world.requests(signal, "plain", options.seed, 40 * options.kills, 40)))
                for signal in SIGNALS}
    acknowledged = {signal: [] for signal in SIGNALS}
    for number in range(options.kills):
        # The answer waits until the files are durable.
        port = free_port()
        engine = round_trip.writer(world, folder, port, wait_for_result=True, exporter=FLUSH)
        sending = [Sender(port, signal, requests[signal]) for signal in SIGNALS]
        for each in sending:
            each.start()
        time.sleep(chance.uniform(0.0, 0.6))
        engine.kill()
        for each in sending:
            each.join()
            acknowledged[each.signal] += each.acknowledged
        print(f"kill {number + 1}: {sum(len(each.acknowledged) for each in sending)} requests acknowledged", flush=True)
    out = round_trip.replay(world, folder)
    failed = False
    for signal in SIGNALS:
        expected = folder / f"{signal}.acknowledged"
        write_requests(expected, acknowledged[signal])
        missing, line = count_missing(world, signal, expected, out / f"{signal}.otlp")
        print(f"{line} ({len(acknowledged[signal])} requests acknowledged)")
        failed |= missing != 0 or not acknowledged[signal]
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
