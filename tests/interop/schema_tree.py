"""The tree that the schema matrix rewrites: some batches of the sample data, written by our exporter and cut into parts.

Every table is cut into PARTS files of one partition: part k of the root table, and with it the rows that hang on it, so
that a file which is refused costs what hangs on it and nothing else.
"""
import pathlib
import shutil
import subprocess

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from world import SIGNALS, Failure

KEYS = {"otap.format_version": "1", "otap.id_scope": "partition"}
ROOTS = {"logs": "logs", "traces": "spans", "metrics": "univariate_metrics"}
SHARED = ("resource_attrs", "scope_attrs")
# Tables by the table that their parent_id points into, parents before children.
PARENTS = {"log_attrs": "logs", "span_attrs": "spans", "span_events": "spans", "span_links": "spans",
           "span_event_attrs": "span_events", "span_link_attrs": "span_links", "metric_attrs": "univariate_metrics"}
for _kind in ("number", "histogram", "exp_histogram", "summary"):
    PARENTS[f"{_kind}_data_points"] = "univariate_metrics"
    PARENTS[f"{_kind}_dp_attrs"] = f"{_kind}_data_points"
    PARENTS[f"{_kind}_dp_exemplars"] = f"{_kind}_data_points"
    PARENTS[f"{_kind}_dp_exemplar_attrs"] = f"{_kind}_dp_exemplars"
SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "data" / "corner" / "parquet"
BATCHES = 3  # of the sample's 20
PARTS = 4
SAMPLED = 0  # parts of a tree that is the sample itself: a file a batch


def signal_of(table):
    """The signal whose records a table is part of; None where all are."""
    while table in PARENTS:
        table = PARENTS[table]
    return next((signal for signal, root in ROOTS.items() if root == table), None)


def run(engine, document, timeout=600):
    """Runs a document to its end; returns (exit code, what was printed)."""
    done = subprocess.run([engine, "--num-cores", "1", "-c", document], capture_output=True, text=True, timeout=timeout)
    if done.returncode not in (0, 1, 4):
        raise Failure(f"the engine ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.returncode, done.stdout


def document(pairs):
    """A document of one pipeline with receivers and exporters {name: (receiver, exporter)}."""
    nodes = "".join(f"          in_{name}: {pair[0]}\n          out_{name}: {pair[1]}\n" for name, pair in pairs.items())
    connections = ", ".join(f"{{from: in_{name}, to: out_{name}}}" for name in pairs)
    return (f"version: otel_dataflow/v1\ngroups:\n  g:\n    pipelines:\n      p:\n        nodes:\n{nodes}"
            f"        connections: [{connections}]\n")


def receiver(base, signals=SIGNALS):
    return (f'{{type: "receiver:parquet", config: {{base_uri: "{base}", polling_interval: once, '
            f'signal_types: [{", ".join(signals)}]}}}}')


def take_sample(folder):
    """Some batches of the sample data."""
    source = folder / "sample"
    for table in sorted(path for path in SAMPLE.iterdir() if path.is_dir()):
        files = sorted(table.rglob("*.parquet"))
        for path in files if table.name in SHARED else files[:BATCHES]:
            target = source / path.relative_to(SAMPLE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    return source


def write_own(engine, folder, source):
    """A tree as files of our exporter."""
    own = folder / "own"
    path = folder / "write.yaml"
    path.write_text(document({signal: (receiver(source, [signal]), f'{{type: "exporter:parquet", config: {{base_uri: "{own}"}}}}')
                              for signal in SIGNALS}))
    run(engine, path)
    return own


def plain(table):
    """Without what the exporter says of its set: what a set misses is named, and would pass for a word on the schema."""
    return table.replace_schema_metadata(KEYS)


def cut(own, parts):
    """Returns {(table, partition folder): [rows of each part]}."""
    tables, owner = {}, {}
    for path in sorted(own.rglob("*.parquet")):
        place = path.parent.relative_to(own)
        rows = pq.ParquetFile(path).read()
        at = (place.parts[0], str(pathlib.Path(*place.parts[1:])))
        tables[at] = plain(rows if at not in tables else pa.concat_tables([tables[at], plain(rows)])).combine_chunks()
    result = {}
    order = [*ROOTS.values(), *PARENTS, *SHARED]
    for (name, partition), rows in sorted(tables.items(), key=lambda item: order.index(item[0][0])):
        if name in PARENTS:
            owners = owner[PARENTS[name], partition]
            part = [owners.get(parent, 0) for parent in rows.column("parent_id").to_pylist()]
        else:
            part = [row * parts // len(rows) for row in range(len(rows))]
        if "id" in rows.column_names:
            owner[name, partition] = {i: p for i, p in zip(rows.column("id").to_pylist(), part) if i is not None}
        numbers = pa.array(part)
        result[name, partition] = [rows.filter(pc.equal(numbers, pa.scalar(k))).combine_chunks() for k in range(parts)]
    return result


def files_of(source):
    """Returns {(table, partition folder): [rows of each file, or the file where pyarrow misreads its ids]}."""
    tables = {}
    for path in sorted(source.rglob("*.parquet")):
        place = path.parent.relative_to(source)
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        part = path if "trace_id" in names or "span_id" in names else file.read().replace_schema_metadata(None).combine_chunks()
        tables.setdefault((place.parts[0], str(pathlib.Path(*place.parts[1:]))), []).append(part)
    return tables


def file_of(table, partition, part):
    return pathlib.Path(table) / partition / f"part-{part + 1}-a.parquet"
