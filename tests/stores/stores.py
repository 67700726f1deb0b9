"""Replays the known answers from object stores and writes them there, item by item, on one and two cores, also through
a proxy that spoils requests.

Usage: stores.py --build DIR --work DIR [--store NAME] [--only far] [--seed N] [--azurite FILE] [--gcs FILE] [--versitygw FILE]
A store whose server is not there is named and left out.
"""
import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import proxy
import slices

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SHARED = pathlib.Path(os.environ.get("OTAP_SHARED_DATA", ROOT.parent / "shared/data"))
SIGNALS = ("logs", "traces", "metrics")
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # Azurite's own


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A server of a store that runs while this object lives."""

    def start(self, command, log, environment=None):
        self.log = open(log, "wb")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT,
                                        env={**os.environ, **(environment or {})})
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        raise SystemExit(f"{command[0]} did not start: see {log}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()  # Azurite waits for connections that are open
            self.process.wait(30)
        self.log.close()


class Moto(Server):
    name = "moto"
    environment = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}

    def __init__(self, work, _):
        self.port = free_port()
        self.start([str(pathlib.Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(self.port)],
                   work / "moto.log")

    def client(self):
        import boto3
        from botocore.config import Config
        return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{self.port}", region_name="us-east-1",
                            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
                            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
                            config=Config(max_pool_connections=16))

    def prepare(self):
        self.client().create_bucket(Bucket="lake")

    def upload(self, files):
        client = self.client()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda item: client.put_object(Bucket="lake", Key=item[0], Body=item[1].read_bytes()), files))

    def open_duckdb(self, database, port):
        """Lets DuckDB read the store by way of a port; returns the URI of the bucket."""
        import duckdb_extensions
        duckdb_extensions.import_extension("httpfs", con=database)
        database.sql("LOAD httpfs")
        database.sql(f"CREATE SECRET (TYPE s3, KEY_ID '{self.environment['AWS_ACCESS_KEY_ID']}', SECRET "
                     f"'{self.environment['AWS_SECRET_ACCESS_KEY']}', ENDPOINT '127.0.0.1:{port}', URL_STYLE 'path', "
                     "USE_SSL false, REGION 'us-east-1')")
        return "s3://lake"

    def storage(self, prefix, port):
        return (f'{{s3: {{base_uri: "s3://lake/{prefix}", endpoint: "http://127.0.0.1:{port}", allow_http: true}}, '
                'retry: {init_backoff: 10ms, max_backoff: 1s}}')


class Versitygw(Moto):
    name = "versitygw"
    environment = {"AWS_ACCESS_KEY_ID": "rootkey", "AWS_SECRET_ACCESS_KEY": "rootsecret"}

    def __init__(self, work, program):
        self.port = free_port()
        data = work / "versitygw"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        self.start([program, "--access", "rootkey", "--secret", "rootsecret", "--port", f"127.0.0.1:{self.port}",
                    "posix", str(data)], work / "versitygw.log")


class Azurite(Server):
    name = "azurite"
    environment = {"AZURITE_KEY": AZURE_KEY}

    def __init__(self, work, program):
        self.port = free_port()
        data = work / "azurite"
        shutil.rmtree(data, ignore_errors=True)
        self.start([program, "--silent", "--skipApiVersionCheck", "--blobHost", "127.0.0.1", "--blobPort", str(self.port),
                    "-l", str(data)], work / "azurite.log")

    def client(self):
        from azure.storage.blob import BlobServiceClient
        return BlobServiceClient(f"http://127.0.0.1:{self.port}/devstoreaccount1", credential=AZURE_KEY,
                                 api_version="2024-11-04")

    def prepare(self):
        self.client().create_container("lake")

    def upload(self, files):
        container = self.client().get_container_client("lake")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda item: container.upload_blob(item[0], item[1].read_bytes(), overwrite=True), files))

    def open_duckdb(self, database, port):
        import duckdb_extensions
        duckdb_extensions.import_extension("azure", con=database)
        database.sql("LOAD azure")
        database.sql("CREATE SECRET (TYPE azure, CONNECTION_STRING 'DefaultEndpointsProtocol=http;"
                     f"AccountName=devstoreaccount1;AccountKey={AZURE_KEY};"
                     f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;')")
        return "az://lake"

    def storage(self, prefix, port):
        return (f'{{azure: {{base_uri: "az://lake/{prefix}", account: devstoreaccount1, '
                f'endpoint: "http://127.0.0.1:{port}", allow_http: true, '
                'auth: {type: account_key, account_key: "${env:AZURITE_KEY}"}}, retry: {init_backoff: 10ms, max_backoff: 1s}}')


class FakeGcs(Server):
    name = "fake-gcs-server"
    environment = {}

    def __init__(self, work, program):
        self.port = free_port()
        self.start([program, "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", str(self.port),
                    "-public-host", f"127.0.0.1:{self.port}"], work / "gcs.log")

    def request(self, method, path, body, kind):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body, method=method,
                                         headers={"Content-Type": kind})
        urllib.request.urlopen(request).read()

    def prepare(self):
        self.request("POST", "/storage/v1/b?project=p", b'{"name": "lake"}', "application/json")

    def upload(self, files):
        for name, path in files:
            quoted = urllib.request.quote(name, safe="")
            self.request("POST", f"/upload/storage/v1/b/lake/o?uploadType=media&name={quoted}", path.read_bytes(),
                         "application/octet-stream")

    def storage(self, prefix, port):
        return (f'{{gcs: {{base_uri: "gs://lake/{prefix}", endpoint: "http://127.0.0.1:{port}", allow_http: true, '
                'auth: {type: anonymous}}, retry: {init_backoff: 10ms, max_backoff: 1s, retry_timeout: 60s}}')


class Checks:
    def __init__(self, options):
        self.build = pathlib.Path(options.build)
        self.work = pathlib.Path(options.work)
        self.num_failed = 0
        self.has_large = False

    def run(self, name, receiver, exporter, cores, environment, more=""):
        """Runs a pipeline; `more` are keys of its receiver. Returns its last lines when it did not end well."""
        out = self.work / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        document = self.work / "pipeline.yaml"
        document.write_text(f"""version: otel_dataflow/v1
groups:
  default:
    pipelines:
      main:
        nodes:
          receiver: {{type: "receiver:parquet", config: {{storage: {receiver}, polling_interval: once{more}}}}}
          exporter: {exporter}
        connections:
          - {{from: receiver, to: exporter}}
""")
        begin = time.monotonic()
        done = subprocess.run([self.build / "df_engine", "--num-cores", str(cores), "-c", document],
                              capture_output=True, text=True, timeout=1200, env={**os.environ, **environment})
        self.seconds = time.monotonic() - begin
        self.lines = done.stdout + done.stderr
        if done.returncode != 0:
            return f"exit code {done.returncode}: " + (done.stdout + done.stderr)[-1500:]
        return None

    def delivered(self, signal):
        """Returns how many records of a signal the last pipeline has delivered."""
        name = {"logs": "log records", "traces": "spans"}[signal]
        return int(re.search(rf"(\d+) {name}", self.lines[self.lines.index("replayed"):])[1])

    def generate(self, name, weights, num_items):
        """Returns a tree of generated items in files of a million rows."""
        tree = self.work / name
        shutil.rmtree(tree, ignore_errors=True)
        document = self.work / "generate.yaml"
        document.write_text(f"""version: otel_dataflow/v1
groups:
  default:
    pipelines:
      main:
        nodes:
          generator: {{type: "receiver:traffic_generator", config: {{seed: 7, traffic_config: {{{weights},
            signals_per_second: null, max_signal_count: {num_items}, max_batch_size: 8000, use_trace_context: true}}}}}}
          exporter: {{type: "exporter:parquet", config: {{base_uri: {tree}, writer_options: {{target_rows_per_file: 1000000}}}}}}
        connections:
          - {{from: generator, to: exporter}}
""")
        subprocess.run([self.build / "df_engine", "--num-cores", "1", "-c", document], check=True, capture_output=True,
                       timeout=300)
        return tree

    def large(self):
        """Returns a folder with a tree whose largest file takes several parts of an upload, and what a replay gives."""
        folder = self.work / "large"
        if not self.has_large:
            self.has_large = True
            tree = self.generate("large/parquet", "log_weight: 1, trace_weight: 0, metric_weight: 0", 500000)
            problem = self.run("large", f'{{file: {{base_uri: "{tree}"}}}}', self.file_exporter(), 1, {})
            if problem:
                raise SystemExit(problem)
            (self.work / "out/logs-0.otlp").rename(folder / "logs.otlp")
        return folder

    def compare(self, answers):
        out = self.work / "out"
        for signal in SIGNALS:
            if not (answers / f"{signal}.otlp").exists():
                continue
            done = subprocess.run([self.build / "otlp_compare", signal, answers / f"{signal}.otlp",
                                   *sorted(out.glob(f"{signal}-*.otlp")), "--upstream-losses"], capture_output=True, text=True)
            if done.returncode != 0:
                return done.stdout[-1500:] + done.stderr[-500:]
        return None

    def say(self, name, problem, more=""):
        self.num_failed += problem is not None
        print(f"{'ok    ' if problem is None else 'FAILED'} {name} ({self.seconds:.1f} s{more})"
              + (f"\n{problem}" if problem else ""), flush=True)

    def file_exporter(self):
        return f'{{type: "exporter:file", config: {{path: "{self.work}/out/{{signal}}-{{core_id}}.otlp", format: otlp_proto}}}}'


def sets():
    yield "corner", ROOT / "examples/data/corner"
    yield "logs-2025", ROOT / "examples/data/logs-2025"
    if (SHARED / "upstream-steady").exists():
        yield "steady", SHARED / "upstream-steady"
    else:
        print(f"left out: {SHARED / 'upstream-steady'} is not there", flush=True)


def check(store, checks, seed):
    for name, folder in sets():
        tree = folder / "parquet"
        store.upload([(f"{name}/{path.relative_to(tree)}", path) for path in sorted(tree.rglob("*")) if path.is_file()])
        for cores in (1, 2):
            problem = checks.run(name, store.storage(name, store.port), checks.file_exporter(), cores, store.environment)
            checks.say(f"{store.name}: {name}, {cores} cores", problem or checks.compare(folder))
    for cores in (1, 2):
        check_writing(store, checks, f"{cores} cores", store.port, cores, lambda: "")
    for cores in (1, 2):
        port, counts = proxy.start(store.port, seed + cores)
        check_writing(store, checks, f"{cores} cores through a bad network, seed {seed + cores}", port, cores,
                      lambda: proxy.describe(counts))
    port, counts = proxy.start(store.port, seed)
    folder = ROOT / "examples/data/corner"
    problem = checks.run("corner", store.storage("corner", port), checks.file_exporter(), 2, store.environment)
    checks.say(f"{store.name}: corner, 2 cores through a bad network, seed {seed}", problem or checks.compare(folder),
               proxy.describe(counts))


def check_writing(store, checks, what, port, cores, more):
    """Writes known answers over `port`; reads back what was written, the same way and from the store itself."""
    for name, folder in (("corner", ROOT / "examples/data/corner"), ("large", checks.large())):
        copy = f"{name}-{port}-{cores}"
        exporter = f'{{type: "exporter:parquet", config: {{storage: {store.storage(copy, port)}}}}}'
        problem = checks.run("write", f'{{file: {{base_uri: "{folder}/parquet"}}}}', exporter, cores, store.environment)
        checks.say(f"{store.name}: writing {name}, {what}", problem, more())
        for way, at in [("", store.port)] + ([(" the same way", port)] if port != store.port else []):
            problem = checks.run("read", store.storage(copy, at), checks.file_exporter(), cores, store.environment)
            checks.say(f"{store.name}: reading back{way}, {what}", problem or checks.compare(folder), more())


def check_far(store, checks):
    """What selections fetch, and of a store that takes 50 ms a request and gives 60 MB/s a replay of everything beside
    eight plain downloads at a time. Without that bound the processor is what limits a replay here, as it is with a
    folder."""
    tree = checks.generate("far", "log_weight: 1, trace_weight: 1", 12000000)
    store.upload([(f"far/{path.relative_to(tree)}", path) for path in sorted(tree.rglob("*.parquet"))])
    slices.check(store, checks, tree)
    if not store.environment.get("AWS_ACCESS_KEY_ID"):
        return
    port, _ = proxy.start(store.port, 0, latency=0.05, faults=False, bandwidth=60e6)
    for cores in (1, 2):
        done = subprocess.run([sys.executable, pathlib.Path(__file__).parent / "download.py", str(port), "far"], check=True,
                              capture_output=True, text=True, timeout=300, env={**os.environ, **store.environment})
        num_bytes, plain_seconds = (float(word) for word in done.stdout.split())
        problem = checks.run("far", store.storage("far", port), '{type: "exporter:noop"}', cores, store.environment)
        rates = [num_bytes / 1e6 / seconds for seconds in (plain_seconds, checks.seconds)]
        if problem is None and rates[1] < 0.8 * rates[0]:
            problem = "expected at least 80 %"
        checks.say(f"{store.name}: {num_bytes / 1e6:.0f} MB at 60 MB/s with 50 ms a request, {cores} cores", problem,
                   f", {rates[1]:.0f} MB/s, {100 * rates[1] / rates[0]:.0f} % of the plain download")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--store")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--only", choices=["far"], help="far: selections and bandwidth")
    parser.add_argument("--azurite")
    parser.add_argument("--gcs")
    parser.add_argument("--versitygw")
    options = parser.parse_args()
    os.environ.update(AWS_EC2_METADATA_DISABLED="true")
    work = pathlib.Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    checks = Checks(options)
    for kind, program in ((Moto, "-"), (Versitygw, options.versitygw), (Azurite, options.azurite), (FakeGcs, options.gcs)):
        if options.store and options.store != kind.name:
            continue
        if not program:
            print(f"left out: {kind.name} is not there", flush=True)
            continue
        store = kind(work, program)
        try:
            store.prepare()
            if options.only != "far":
                check(store, checks, options.seed)
            check_far(store, checks)
        finally:
            store.stop()
    print(f"{checks.num_failed} failed", flush=True)
    sys.exit(checks.num_failed > 0)


if __name__ == "__main__":
    main()
