"""Every column of every table, rewritten one at a time by another writer: what comes out is exact or named.

Usage: columns.py --build DIR --work DIR --generator FILE [--writer pyarrow|duckdb|polars] [--tables a,b]
A tree of our own exporter is written again with one column dropped, nulled, renamed, retyped, re-encoded or moved. The
answer is what the engine says of the table as the rewritten file means it, written plainly by pyarrow; the rewritten
tree has to give the same bytes, or a problem that names the table. A column under a name that is not of the model also
has to be named.
"""
import argparse
import dataclasses
import pathlib
import re
import shutil
import subprocess
import sys

import duckdb
import polars
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import round_trip
import senders
from world import SIGNALS, Failure, World, free_port

WRITERS = ("pyarrow", "duckdb", "polars")
KEYS = {"otap.format_version": "1", "otap.id_scope": "partition"}
TREES_PER_RUN = 50
TYPES = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.float32(),
         pa.float64(), pa.bool_(), pa.string(), pa.large_string(), pa.binary(), pa.binary(16), pa.date32(), pa.time64("us"),
         pa.timestamp("ns", "UTC"), pa.timestamp("us"), pa.timestamp("ms"), pa.duration("us"), pa.decimal128(20, 0),
         pa.list_(pa.int64()), pa.struct([("value", pa.string())]), pa.dictionary(pa.int32(), pa.string()))
SOME = {"int": 7, "uint": 7, "float": 7.5, "double": 7.5, "halffloat": 7.5, "bool": True, "string": "INFO",
        "large_string": "INFO", "binary": b"INFO", "fixed_size_binary": b"x" * 16, "date32": 7, "time64": 7,
        "timestamp": 7, "duration": 7, "decimal128": 7, "list": [7, 7], "struct": {"value": "INFO"}}


@dataclasses.dataclass
class Rewrite:
    what: str
    table: str
    file: pa.Table
    meaning: pa.Table | None        # None: only naming is right
    must_be_named: bool = False
    is_id: bool = False             # rows of other tables lose theirs, and those may be named
    options: dict = dataclasses.field(default_factory=dict)


def signal_of(table):
    """The signal that is replayed for a table."""
    if table in ("resource_attrs", "scope_attrs") or table.startswith("log"):
        return "logs"
    return "traces" if table.startswith("span") else "metrics"


def paths(table):
    for field in table.schema:
        if pa.types.is_struct(field.type):
            for child in field.type:
                yield field.name, child.name
        else:
            yield field.name, None


def column_at(table, path):
    column = table.column(path[0]).combine_chunks()
    column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    return column if path[1] is None else pc.struct_field(column, path[1])


def replaced(table, path, name, column):
    """The table with a column under a name in place of another; None drops it."""
    top, child = path
    index = table.schema.get_field_index(top)
    if child is None:
        if column is None:
            return table.remove_column(index)
        return table.set_column(index, name, column)
    group = table.column(top).combine_chunks()
    group = group.chunk(0) if isinstance(group, pa.ChunkedArray) else group
    names, arrays = [], []
    for field in group.type:
        new = column if field.name == child else pc.struct_field(group, field.name)
        if new is not None:
            names.append(name if field.name == child else field.name)
            arrays.append(new)
    return table.set_column(index, top, pa.StructArray.from_arrays(arrays, names, mask=group.is_null()))


def invent(column, kind):
    """Some value of a type where the column has one."""
    value = next(some for key, some in SOME.items() if str(kind).startswith(key) or str(kind).startswith(f"large_{key}"))
    values = [value if valid else None for valid in column.is_valid().to_pylist()]
    if pa.types.is_temporal(kind):
        return pa.array(values, pa.int32() if pa.types.is_date32(kind) else pa.int64()).cast(kind)
    return pa.array(values, kind)


def retyped(column, kind):
    """(column of a type, what it means as the old type or None)."""
    if pa.types.is_fixed_size_binary(column.type) and pa.types.is_string(kind):
        return pa.array([None if v is None else v.hex() for v in column.to_pylist()], kind), column
    def cast(array, target):
        return pc.cast(array, options=pc.CastOptions(target, allow_time_truncate=True))

    try:
        if pa.types.is_time(kind):
            raise pa.ArrowInvalid("most numbers are no time of a day")
        new = cast(column, kind)
    except pa.ArrowException:
        new = invent(column, kind if not pa.types.is_dictionary(kind) else kind.value_type)
    for steps in ((column.type,), (pa.int64(), column.type)):  # times are made of signed integers only
        try:
            meaning = new
            for step in steps:
                meaning = cast(meaning, step)
            return new, meaning
        except pa.ArrowException:
            continue
    return new, None


def rewrites(name, table, writer):
    """Every rewrite of a table."""
    yield Rewrite("as it is", name, table, table)
    yield Rewrite("reversed", name, table.select(table.column_names[::-1]), table)
    if writer == "pyarrow":
        for options in ({"use_dictionary": False}, {"data_page_version": "2.0"}, {"store_schema": False},
                        {"compression": "gzip"}, {"use_dictionary": False, "data_page_version": "2.0"}):
            # The keys go with the stored schema, and how ids join is told in the root table.
            yield Rewrite(f"with {options}", name, table, table, is_id="store_schema" in options, options=options)
        for path in paths(table):
            yield from encodings(name, table, path)
    for path in paths(table):
        full = ".".join(part for part in path if part)
        last = path[1] or path[0]
        column = column_at(table, path)
        is_id = last in ("id", "parent_id")
        is_null = column.null_count == len(column)
        nulled = replaced(table, path, last, pa.nulls(len(column), column.type))
        meaning = None if is_id and not is_null else nulled
        for what, file in (("dropped", replaced(table, path, last, None)), ("nulled", nulled),
                           ("of type null", replaced(table, path, last, pa.nulls(len(column))))):
            yield Rewrite(f"{full} {what}", name, file, meaning, is_id=is_id)
        camel = "".join(part.capitalize() for part in last.split("_"))
        for new in {last.upper(), camel, camel[0].lower() + camel[1:]} - {last}:
            yield Rewrite(f"{full} named {new}", name, replaced(table, path, new, column), nulled if is_null else None)
        yield Rewrite(f"{full} named renamed_1", name, replaced(table, path, "renamed_1", column), meaning, True,
                      is_id)
        for kind in TYPES:
            new, means = retyped(column, kind)
            if new.null_count == len(new):
                means = pa.nulls(len(new), column.type)
            yield Rewrite(f"{full} as {kind}", name, replaced(table, path, last, new),
                          None if means is None else replaced(table, path, last, means))


def encodings(name, table, path):
    column = column_at(table, path)
    kind = column.type
    if pa.types.is_list(kind):
        return
    full = ".".join(part for part in path if part)
    names = (["DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"] if pa.types.is_integer(kind) or pa.types.is_temporal(kind)
             else ["BYTE_STREAM_SPLIT"] if pa.types.is_floating(kind)
             else ["RLE"] if pa.types.is_boolean(kind)
             else ["DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT"] if pa.types.is_fixed_size_binary(kind)
             else ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
    if pa.types.is_integer(kind) and kind.bit_width < 32:
        names = ["DELTA_BINARY_PACKED"]
    for encoding in names:
        yield Rewrite(f"{full} in {encoding}", name, table, table,
                      options={"use_dictionary": False, "column_encoding": {full: encoding}})


def write(path, rewrite, writer):
    table = rewrite.file
    if writer == "pyarrow":
        pq.write_table(table.replace_schema_metadata(KEYS), path, **rewrite.options)
    elif writer == "polars":
        polars.from_arrow(table).write_parquet(path, metadata=dict(KEYS))
    else:
        # Its intervals are no durations of a known length, and a file that has them is refused.
        for i, field in enumerate(table.schema):
            if field.type == pa.duration("ns"):
                table = table.set_column(i, field.name, table.column(i).cast(pa.int64()))
        with duckdb.connect() as connection:
            connection.register("rewritten", table)
            keys = ", ".join(f"'{key}': '{value}'" for key, value in KEYS.items())
            connection.execute(f"COPY (SELECT * FROM rewritten) TO '{path}' (FORMAT parquet, KV_METADATA {{{keys}}})")


def make_tree(world, folder):
    """A small tree of our exporter; returns all its files and {table: the one that is rewritten}.

    The files lose the keys of their sets: what a set misses when one of its files is written anew is named, and would
    pass for a word on the column.
    """
    port = free_port()
    engine = round_trip.writer(world, folder, port)
    try:
        for signal in SIGNALS:
            senders.send(world.requests(signal, "corner", 1, 1, 16), signal, round_trip.Way(), port)
    finally:
        code = engine.stop()
    if code != 0:
        raise Failure(f"the writer ended with {code}:\n{engine.text()}")
    tree, files, rewritten = folder / "tree", [], {}
    for path in sorted((folder / "parquet").rglob("*.parquet")):
        place = path.relative_to(folder / "parquet")
        target = tree / place.parent / "part-1-a.parquet"
        target.parent.mkdir(parents=True)
        pq.write_table(pq.ParquetFile(path).read().replace_schema_metadata(KEYS), target)
        files.append(target.relative_to(tree))
        # Every signal has a partition of its own; a table of several is rewritten in that of the replayed signal.
        root = {"logs": "logs", "traces": "spans", "metrics": "univariate_metrics"}[signal_of(place.parts[0])]
        if (folder / "parquet" / root / place.parent.relative_to(place.parts[0])).exists():
            rewritten[place.parts[0]] = target.relative_to(tree)
    return tree, files, rewritten


class Runner:
    """Replays trees, many in one run of the engine, each by a receiver of its own."""

    def __init__(self, world, folder, tree, files, rewritten):
        self.world, self.folder, self.tree, self.files, self.rewritten = world, folder, tree, files, rewritten
        self.runs = 0

    def lay_out(self, base, table, write_file):
        """A tree of links, and one file of its own."""
        for path in self.files:
            (base / path).parent.mkdir(parents=True)
            if path != self.rewritten[table]:
                (base / path).hardlink_to(self.tree / path)
        write_file(base / self.rewritten[table])

    def replay(self, jobs):
        """jobs: (table, function that writes the file). Returns (bytes, problems, notices) of each."""
        self.runs += 1
        folder = self.folder / f"run-{self.runs}"
        nodes, connections = [], []
        failed = {}
        for i, (table, write_file) in enumerate(jobs):
            try:
                self.lay_out(folder / f"t{i}", table, write_file)
            except Exception as error:  # the writer has no such type: nothing to read
                failed[i] = error
                continue
            nodes.append(f'''
          in{i}: {{type: "receiver:parquet", config: {{base_uri: "{folder}/t{i}", polling_interval: once,
            signal_types: [{signal_of(table)}]}}}}
          out{i}: {{type: "exporter:file", config: {{path: "{folder}/out{i}/{{signal}}.otlp", format: otlp_proto}}}}''')
            connections.append(f"{{from: in{i}, to: out{i}}}")
        results = [None] * len(jobs)
        if nodes:
            document = folder / "run.yaml"
            document.write_text("version: otel_dataflow/v1\ngroups:\n  g:\n    pipelines:\n      p:\n        nodes:"
                                + "".join(nodes) + f"\n        connections: [{', '.join(connections)}]\n")
            done = subprocess.run([self.world.engine_binary, "--num-cores", "1", "-c", document], capture_output=True,
                                  text=True, timeout=600)
            said = done.stdout
            if done.returncode not in (0, 1, 4):
                raise Failure(f"the engine ended with {done.returncode}:\n{done.stdout}{done.stderr}")
            parts = self.split(said)
        for i, (table, _) in enumerate(jobs):
            if i in failed:
                continue
            out = folder / f"out{i}" / f"{signal_of(table)}.otlp"
            lines = parts.get(i, [])
            results[i] = (out.read_bytes() if out.exists() else b"",
                          [line for line in lines if "not replayed" in line or "dropped" in line],
                          [line for line in lines if "notice:" in line])
        shutil.rmtree(folder)
        return results

    @staticmethod
    def split(said):
        """The lines of each pipeline's receiver."""
        parts, current = {}, None
        for line in said.splitlines():
            if found := re.search(r"\b(in|out)(\d+)\b", line):
                current = int(found[2])
            if current is not None:
                parts.setdefault(current, []).append(line)
        return parts


def check(world, writer, tables=None):
    """Returns what was tried; raises with what was neither exact nor named."""
    folder = world.folder(f"columns-{writer}")
    runner = Runner(world, folder, *make_tree(world, folder))
    tried = exact = named = unwritten = 0
    wrong = []
    for name, path in sorted(runner.rewritten.items()):
        if tables and name not in tables:
            continue
        table = pq.ParquetFile(runner.tree / path).read().combine_chunks()
        answers = {}
        todo = list(rewrites(name, table, writer))
        before = tried, exact, named
        for first in range(0, len(todo), TREES_PER_RUN):
            part = todo[first:first + TREES_PER_RUN]
            missing = {key(r.meaning): r.meaning for r in part if r.meaning is not None and key(r.meaning) not in answers}
            meanings = list(missing.items())
            jobs = [(name, lambda target, r=r: write(target, r, writer)) for r in part]
            jobs += [(name, lambda target, m=m: pq.write_table(m.replace_schema_metadata(KEYS), target)) for _, m in meanings]
            results = runner.replay(jobs)
            for (k, _), result in zip(meanings, results[len(part):]):
                answers[k] = result[0]
            for rewrite, result in zip(part, results):
                if result is None:
                    unwritten += 1
                    continue
                tried += 1
                found, problems, notices = result
                is_named = bool(problems) and (rewrite.is_id or any(
                    f"table={name}" in line or f" {name}:" in line for line in problems))
                fault = None
                if rewrite.what == "as it is" and problems:
                    fault = "something else is named, which hides what the columns do"
                elif is_named:
                    named += 1
                elif rewrite.meaning is None:
                    fault = "neither refused nor named"
                elif found != answers[key(rewrite.meaning)]:
                    fault = "not what the file means, and not named"
                elif rewrite.must_be_named and not any(f"table={name}" in line for line in notices):
                    fault = "not named"
                else:
                    exact += 1
                if fault:
                    wrong.append(f"{name}: {rewrite.what}: {fault}")
                    write(world.work / f"wrong-{writer}-{len(wrong)}.parquet", rewrite, writer)
                    print(wrong[-1], *problems, *notices, sep="\n    ", flush=True)
        print(f"{writer}: {name}: {tried - before[0]} rewritten files, {exact - before[1]} exact, {named - before[2]} named",
              flush=True)
    shutil.rmtree(folder)
    if wrong or not exact or not named:
        raise Failure(f"{len(wrong)} of {tried} rewritten columns are wrong:\n" + "\n".join(wrong))
    return [f"{tried} rewritten files: {exact} exact, {named} named; {unwritten} that {writer} cannot write"]


def key(table):
    """What two tables with the same content share."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return hash(sink.getvalue().to_pybytes())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--generator", type=pathlib.Path, required=True)
    parser.add_argument("--writer", choices=WRITERS)
    parser.add_argument("--tables", default="")
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    world = World(options.build.resolve(), options.work.resolve(), generator=options.generator)
    failed = 0
    for writer in [options.writer] if options.writer else WRITERS:
        try:
            print(f"{writer}: " + "; ".join(check(world, writer, options.tables.split(",") if options.tables else None)),
                  flush=True)
        except Failure as failure:
            failed += 1
            print(f"{writer}: FAIL {failure}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
