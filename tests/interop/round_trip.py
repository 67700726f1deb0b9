"""OTLP/gRPC in -> our Parquet -> replay -> OTLP out: every item unchanged, for every seed, profile and signal.

Usage: round_trip.py --build DIR --work DIR --generator FILE [--seeds 1-50] [--requests 4] [--size 150]
Prints a line a seed; exit code 1 when one is not equal. Nothing is excused in the comparison.
"""
import argparse
import dataclasses
import pathlib
import shutil
import subprocess
import sys

import senders
from world import PROFILES, SIGNALS, Failure, World, free_port


@dataclasses.dataclass(frozen=True)
class Way:
    transport: str = "grpc"
    compression: str = "none"
    encoding: str = "proto"
    security: str = "plain"


def writer(world, folder, port, wait_for_result=False, exporter=None):
    """Starts an engine that writes what it receives over gRPC as Parquet below `folder`/parquet."""
    protocols = {"grpc": {"listening_addr": f"127.0.0.1:{port}", "wait_for_result": wait_for_result}}
    nodes = {"in": {"type": "receiver:otlp", "config": {"protocols": protocols}},
             "out": {"type": "exporter:parquet", "config": {"base_uri": str(folder / "parquet"), **(exporter or {})}}}
    return world.engine(folder, "writer", nodes, [("in", "out")])


def replay(world, folder):
    """Replays `folder`/parquet into one file a signal; returns the folder of the files."""
    out = folder / "replayed"
    document = folder / "replay.yaml"
    document.write_text(f"""
version: otel_dataflow/v1
groups:
  default:
    pipelines:
      main:
        policies: {{resources: {{core_allocation: {{type: core_count, count: 1}}}}}}
        nodes:
          in:
            type: receiver:parquet
            config:
              base_uri: {folder / "parquet"}
              polling_interval: once
              processing_options: {{validate_relations: true}}
          out: {{type: exporter:file, config: {{path: "{out}/{{signal}}.otlp", format: otlp_proto}}}}
        connections: [{{from: in, to: out}}]
""")
    done = subprocess.run([world.engine_binary, "--strict", "-c", document], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"the replay ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return out


def check(world, seed, requests, size):
    """Returns what the comparison printed, a line a signal."""
    folder = world.folder(f"round-trip-{seed}")
    port = free_port()
    sent = {signal: [world.requests(signal, profile, seed, requests, size) for profile in PROFILES]
            for signal in SIGNALS}
    engine = writer(world, folder, port)
    try:
        for signal in SIGNALS:
            for path in sent[signal]:
                senders.send(path, signal, Way(), port)
    finally:
        code = engine.stop()
    if code != 0:
        raise Failure(f"the writer ended with {code}:\n{engine.text()}")
    out = replay(world, folder)
    lines = [world.compare(signal, sent[signal], [out / f"{signal}.otlp"]) for signal in SIGNALS]
    shutil.rmtree(folder)
    for paths in sent.values():
        for path in paths:
            path.unlink()
    return lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--generator", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", default="1-50")
    parser.add_argument("--requests", type=int, default=4)
    parser.add_argument("--size", type=int, default=150)
    options = parser.parse_args()
    first, _, last = options.seeds.partition("-")
    shutil.rmtree(options.work, ignore_errors=True)
    world = World(options.build.resolve(), options.work.resolve(), generator=options.generator)
    failed = 0
    for seed in range(int(first), int(last or first) + 1):
        try:
            print(f"seed {seed}: " + "; ".join(check(world, seed, options.requests, options.size)), flush=True)
        except Failure as failure:
            failed += 1
            print(f"seed {seed}: FAIL {failure}", flush=True)
    print(f"{failed} seeds failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
