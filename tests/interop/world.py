"""The programs that the interop checks put together: df_engine, the Collector, files of OTLP requests, certificates.

Everything listens on loopback at ports that the system gives, lives below one work directory, and is ended by who
started it.
"""
import json
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request

SIGNALS = ("logs", "traces", "metrics")
PROFILES = ("steady", "plain", "corner", "wide", "many_resources")
START_SECONDS = 30
SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples" / "data" / "corner"


class Failure(Exception):
    """A check that did not come out as it has to."""


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, seconds=START_SECONDS):
    """Returns once somebody listens; fails when `process` ends before."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise Failure(f"{process.args[0]} ended with {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise Failure(f"{process.args[0]} does not listen on port {port} after {seconds} s")


class Program:
    """A child process with a log file; leaving the block asks it to end and waits."""

    def __init__(self, name, arguments, log):
        self.name, self.log = name, log
        self.process = subprocess.Popen(arguments, stdout=open(log, "wb"), stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, seconds=30):
        """Ends it with SIGTERM; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure(f"{self.name} did not end within {seconds} s of SIGTERM; see {self.log}") from None

    def kill(self):
        """Ends it at once."""
        self.process.kill()
        self.process.wait()

    def text(self):
        """What it printed."""
        return pathlib.Path(self.log).read_text(errors="replace")


class World:
    """Where the programs are and where the checks work."""

    def __init__(self, build, work, collector=None, generator=None):
        self.engine_binary = build / "df_engine"
        self.compare_binary = build / "otlp_compare"
        self.build, self.work, self.collector_binary, self.generator = build, work, collector, generator
        work.mkdir(parents=True, exist_ok=True)

    def folder(self, name):
        """A new folder for one check."""
        path = self.work / name
        path.mkdir(parents=True)
        return path

    def engine(self, folder, name, nodes, connections):
        """Starts df_engine with one pipeline on one core and waits until it is ready."""
        admin = free_port()
        document = {
            "version": "otel_dataflow/v1",
            "engine": {"http_admin": {"bind_address": f"127.0.0.1:{admin}"}},
            "groups": {"default": {"pipelines": {"main": {
                "policies": {"resources": {"core_allocation": {"type": "core_count", "count": 1}}},
                "nodes": nodes,
                "connections": [{"from": a, "to": b} for a, b in connections],
            }}}},
        }
        path = folder / f"{name}.yaml"
        path.write_text(json.dumps(document, indent=1))  # JSON is YAML
        program = Program(name, [str(self.engine_binary), "-c", str(path)], folder / f"{name}.log")
        program.admin = admin
        try:
            self.wait_until_ready(program)
        except Failure as failure:
            program.kill()
            raise Failure(f"{failure}\n{program.text()}") from None
        return program

    def wait_until_ready(self, program):
        wait_for_port(program.admin, program.process)
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if program.process.poll() is not None:
                raise Failure(f"{program.name} ended with {program.process.returncode}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{program.admin}/api/v1/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            time.sleep(0.02)
        raise Failure(f"{program.name} is not ready after {START_SECONDS} s")

    def collector(self, folder, name, receivers, exporter_name, exporter, ports):
        """Starts the Collector with one pipeline a signal, without a queue: it answers when the next one has."""
        document = {
            "receivers": {"otlp": {"protocols": receivers}},
            "exporters": {exporter_name: {**exporter, "sending_queue": {"enabled": False}}},
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {s: {"receivers": ["otlp"], "exporters": [exporter_name]} for s in SIGNALS},
            },
        }
        path = folder / f"{name}.yaml"
        path.write_text(json.dumps(document, indent=1))
        program = Program(name, [str(self.collector_binary), "--config", str(path)], folder / f"{name}.log")
        try:
            for port in ports:
                wait_for_port(port, program.process)
        except Failure as failure:
            program.kill()
            raise Failure(f"{failure}\n{program.text()}") from None
        return program

    def requests(self, signal_name, profile, seed=1, requests=6, size=120):
        """A file of framed requests of the generator; without it only the sample data of profile `corner` is there."""
        if self.generator is None:
            return SAMPLES / f"{signal_name}.otlp" if profile == "corner" else None
        path = self.work / f"requests-{signal_name}-{profile}-{seed}-{requests}-{size}.otlp"
        if not path.exists():
            subprocess.run(
                [sys.executable, str(self.generator), "--signal", signal_name, "--seed", str(seed), "--requests",
                 str(requests), "--size", str(size), "--profile", profile, "--out", str(path)], check=True)
        return path

    def compare(self, signal_name, expected, actual):
        """Every item of the files `expected` is in `actual`, and no other: no excuse is accepted."""
        merged = [self.work / "expected.merged", self.work / "actual.merged"]
        for target, paths in zip(merged, (expected, actual)):
            target.write_bytes(b"".join(pathlib.Path(p).read_bytes() for p in paths))
        done = subprocess.run([str(self.compare_binary), signal_name, *map(str, merged)], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"{signal_name}: {done.stdout.strip()} {done.stderr.strip()}")
        return done.stdout.strip().splitlines()[-1]


def read_requests(path):
    """The requests of a file, each behind its length."""
    data = pathlib.Path(path).read_bytes()
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at + 4:at + 4 + length]
        at += 4 + length


def make_certificates(folder):
    """A CA, and a server's and a client's certificate signed by it; returns their paths by name."""
    def run(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    paths = {"ca": folder / "ca.pem"}
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
        "/CN=interop CA", "-keyout", folder / "ca.key", "-out", paths["ca"])
    for name in ("server", "client"):
        key, request, certificate = (folder / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", key, "-out", request)
        extensions = folder / f"{name}.ext"
        extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        run("x509", "-req", "-in", request, "-CA", paths["ca"], "-CAkey", folder / "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", extensions, "-out", certificate)
        paths[name], paths[name + "_key"] = certificate, key
    return paths
