"""Runs the interop checks against the real other side and prints a table.

Usage: interop.py --build DIR --work DIR [--collector FILE] [--generator FILE] [--only TEXT] [--table FILE]
Exit code: 0 when every check passed, 1 otherwise. With --table the table is written into FILE, between its marks.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import columns
import grpc_client
import grpc_server
import kill_writer
import limits
import otap
import python_sdk
import read_parquet
import round_trip
import schema_matrix
import sdk_defaults
import through_collector
from world import Failure, World

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def cases(world):
    """(other side, what is checked, function that returns lines) of every check."""
    if world.collector_binary is not None:
        for way in through_collector.WAYS:
            yield ("OpenTelemetry Collector", f"forward by {way.name}",
                   lambda way=way: through_collector.check(world, way))
    for way in python_sdk.WAYS:
        yield "Python SDK", f"sends by {way}", lambda way=way: python_sdk.check(world, way)
    for transport in sdk_defaults.TRANSPORTS:
        yield ("Python SDK", f"all defaults by {transport}, to the document that archives",
               lambda transport=transport: sdk_defaults.check(world, transport))
    yield "grpcio", "client of our gRPC server", lambda: grpc_client.check(world)
    for trouble in grpc_server.TROUBLES:
        yield ("grpcio", f"server behind our OTLP exporter that {trouble}",
               lambda trouble=trouble: grpc_server.check(world, trouble))
    for way in otap.WAYS:
        yield "OTAP", way.name, lambda way=way: otap.check(world, way)
    yield ("pyarrow, DuckDB", "files of our Parquet exporter, with the documented SQL",
           lambda: read_parquet.check(world))
    yield ("pyarrow, DuckDB, polars, fastparquet, parquet-rs", "schema: drifts, types, codecs, encodings, damage",
           lambda: schema_matrix.check(world))
    if limits.source(world) is not None:
        for limit in (None, 1 << 20):
            yield ("grpcio", f"server of limits: requests of {'4 MiB, its default' if limit is None else '1 MiB'}",
                   lambda limit=limit: limits.check_server(world, limit))
        if world.collector_binary is not None:
            for transport in ("grpc", "http"):
                yield ("OpenTelemetry Collector", f"server of limits: {transport} requests of 1 MiB",
                       lambda transport=transport: limits.check_collector(world, transport))
    if world.generator is not None:
        yield "OTAP", "messages of our producer, read with pyarrow", lambda: otap.check_messages(world)
        for writer in columns.WRITERS:
            yield (writer, "rewrites single columns of every table: exact or named",
                   lambda writer=writer: columns.check(world, writer))
        for seed in range(1, 4):
            yield ("itself", f"OTLP/gRPC, our Parquet, replay, seed {seed}",
                   lambda seed=seed: round_trip.check(world, seed, requests=4, size=150))
        seed = kill_writer.new_seed()
        yield ("itself", f"kill -9 of the engine that writes, 20 times, seed {seed}",
               lambda seed=seed: kill_writer.check(world, kills=20, seed=seed))


def summary(lines):
    """The lines of a check in one cell of the table."""
    return "; ".join(line.replace("|", "/") for line in lines)


def run(world, only):
    """Runs what `only` names (all where it is empty); returns rows (other side, check, passed, result)."""
    rows = []
    for peer, name, check in cases(world):
        if only and only not in f"{peer} {name}":
            continue
        started = time.monotonic()
        try:
            rows.append((peer, name, True, summary(check())))
        except (Failure, subprocess.SubprocessError, OSError, RuntimeError) as failure:
            rows.append((peer, name, False, str(failure)))
        mark = "pass" if rows[-1][2] else "FAIL"
        print(f"{mark}  {peer}: {name} ({time.monotonic() - started:.1f} s)\n      {rows[-1][3]}", flush=True)
    return rows


def write_table(path, rows):
    """Puts the rows between the marks of a document."""
    table = ["| Other side | Check | Result | Compared |", "|---|---|---|---|"]
    table += [f"| {peer} | {name} | {'pass' if passed else 'FAIL'} | {result} |" for peer, name, passed, result in rows]
    text = path.read_text()
    pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.S)
    path.write_text(pattern.sub(lambda _: "\n".join([BEGIN, "", *table, "", END]), text))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--collector", type=pathlib.Path)
    parser.add_argument("--generator", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--table", type=pathlib.Path)
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ.pop(name, None)  # the SDK's HTTP client prefers these to the CA that it is given
    world = World(options.build.resolve(), options.work.resolve(), options.collector, options.generator)
    rows = run(world, options.only)
    failed = sum(not passed for _, _, passed, _ in rows)
    print(f"{len(rows)} checks, {failed} failed")
    if options.table and not options.only:
        write_table(options.table, rows)
    sys.exit(1 if failed or not rows else 0)


if __name__ == "__main__":
    main()
