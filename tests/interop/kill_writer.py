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


def new_seed():
    """Another one each second; the generator makes times of it, so it has to be small."""
    return int(time.time()) % 100_000


def check(world, kills, seed):
    """Kills the writer so often; returns a line a signal."""
    chance = random.Random(seed)
    folder = world.folder(f"killed-{seed}")
    requests = {signal: list(read_requests(world.requests(signal, "plain", seed, 40 * kills, 40)))
                for signal in SIGNALS}
    acknowledged = {signal: [] for signal in SIGNALS}
    for _ in range(kills):
        port = free_port()
        # The answer waits until the files are durable.
        engine = round_trip.writer(world, folder, port, wait_for_result=True, exporter=FLUSH)
        sending = [Sender(port, signal, requests[signal]) for signal in SIGNALS]
        for each in sending:
            each.start()
        time.sleep(chance.uniform(0.0, 0.6))
        engine.kill()
        for each in sending:
            each.join()
            acknowledged[each.signal] += each.acknowledged
    # The next start clears away what the last one was killed over: a set of files half of which had their names.
    round_trip.writer(world, folder, free_port(), wait_for_result=True, exporter=FLUSH).stop()
    out = round_trip.replay(world, folder)
    lines = []
    for signal in SIGNALS:
        expected = folder / f"{signal}.acknowledged"
        write_requests(expected, acknowledged[signal])
        missing, line = count_missing(world, signal, expected, out / f"{signal}.otlp")
        lines.append(f"{line} ({len(acknowledged[signal])} requests acknowledged)")
        if missing != 0 or not acknowledged[signal]:
            raise Failure(f"seed {seed}: {lines[-1]}")
    return lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--generator", type=pathlib.Path, required=True)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=new_seed())
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    shutil.rmtree(options.work, ignore_errors=True)
    world = World(options.build.resolve(), options.work.resolve(), generator=options.generator)
    try:
        print("\n".join(check(world, options.kills, options.seed)))
    except Failure as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
