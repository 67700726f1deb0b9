"""Lakes of which a catalog says the files: the replay equals that of the same rows in folders, item by item.

Usage: catalogs.py --build DIR --work DIR [--only TEXT]
Needs the packages of catalogs-requirements.txt: duckdb with the extensions ducklake and sqlite in one version, deltalake and
pyarrow. The rows are those of examples/data/corner, as upstream's exporter wrote them and as ours does. Each check makes a lake of
them, replays it with catalog.files and compares all three signals with the replay of the folders; or breaks the lake, and looks for
the words that name what is wrong and for signals that must not go out.
"""
import argparse
import glob
import json
import pathlib
import shutil
import sqlite3
import subprocess
import sys

import duckdb
import deltalake
import pyarrow as pa
import pyarrow.parquet as pq

import schema_tree
from world import SIGNALS, Failure, World

PACKAGES = pathlib.Path(duckdb.__file__).parents[1]
NAMESPACE = "_otel_join_namespace"
NANOS = "__unix_nanos"
ZERO_SIGNS = "--zero-signs"  # DuckDB writes -0.0 as 0.0 where it makes a dictionary


def extension(package, name, folder):
    """The extension of a wheel under the name that DuckDB takes its entry point from."""
    found = glob.glob(f"{PACKAGES}/{package}/extensions/*/*.duckdb_extension")
    if not found:
        raise Failure(f"no extension in the package {package}")
    path = folder / f"{name}.duckdb_extension"
    if not path.exists():
        path.symlink_to(found[0])
    return path


def problems(said):
    """What was not replayed, without the partition, which has another name with another column."""
    return sorted({line.strip().split(" [")[0] for line in said.splitlines() if line.strip().startswith("not replayed")})


class Lakes:
    def __init__(self, world):
        self.world, self.folder = world, world.folder("catalogs")
        self.sample = schema_tree.SAMPLE
        self.own = schema_tree.write_own(world.engine_binary, self.folder, self.sample)
        self.answers = {}
        # Who writes our files anew loses the key that says how resources join, and what cannot be told then is named.
        self.rewritten = self.folder / "rewritten"
        for path in self.own.rglob("*.parquet"):
            target = self.rewritten / path.relative_to(self.own)
            target.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pq.ParquetFile(path).read().replace_schema_metadata(None), target)
        for name, base, wanted in (("own", self.own, 0), ("sample", self.sample, 0), ("rewritten", self.rewritten, 4)):
            code, said = self.replay(base, None, self.folder / f"answer-{name}")
            if code != wanted:
                raise Failure(f"the folders of {name}: {said}")
            self.answers[name] = (self.folder / f"answer-{name}", code, problems(said))

    def replay(self, base, files, out):
        """Replays all signals; returns (exit code, what was said)."""
        catalog = f", catalog: {{files: {json.dumps(files)}}}" if files is not None else ""
        pair = (f'{{type: "receiver:parquet", config: {{base_uri: "{base}", polling_interval: once{catalog}}}}}',
                f'{{type: "exporter:file", config: {{path: "{out}/{{signal}}.otlp", format: otlp_proto}}}}')
        path = self.folder / "run.yaml"
        path.write_text(schema_tree.document({"lake": pair}))
        done = subprocess.run([self.world.engine_binary, "--num-cores", "1", "-c", path], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def items(self, expected, actual, signal, *flags):
        """(items expected, equal, extra)"""
        for folder in (expected, actual):
            folder.mkdir(exist_ok=True)
            (folder / f"{signal}.otlp").touch()
        done = subprocess.run([str(self.world.compare_binary), *flags, signal, *(str(f / f"{signal}.otlp") for f in (expected, actual))],
                              capture_output=True, text=True)
        equal, rest = done.stdout.split(" items equal, ")[0].split()[-1], done.stdout.split(" items equal, ")[1]
        return int(equal.split("/")[1]), int(equal.split("/")[0]), int(rest.split()[0])

    def must_equal(self, name, answer, base, files, *flags):
        """Every item of the folders comes back, none is another, and the same problems are named."""
        out = self.folder / f"out-{name}"
        code, said = self.replay(base, files, out)
        expected_folder, expected_code, expected_problems = self.answers[answer]
        sums = []
        for signal in SIGNALS:
            expected, equal, extra = self.items(expected_folder, out, signal, *flags)
            sums.append(f"{signal} {equal} of {expected}")
            if equal != expected or extra or expected == 0:
                raise Failure(f"{name}: {signal}: {equal} of {expected} items equal, {extra} extra\n{said}")
        if code != expected_code or problems(said) != expected_problems:
            raise Failure(f"{name}: every item came back, with exit code {code} and other problems than {expected_problems}\n{said}")
        return ", ".join(sums)

    def must_refuse(self, name, base, files, words, signals):
        """The words are said, and nothing of the signals goes out."""
        out = self.folder / f"out-{name}"
        code, said = self.replay(base, files, out)
        missing = [word for word in words if word not in said]
        if missing or code not in (1, 4):
            raise Failure(f"{name}: exit code {code}, {missing} not in what was said:\n{said}")
        for signal in SIGNALS:
            path = out / f"{signal}.otlp"
            size = path.stat().st_size if path.exists() else 0
            if (signal in signals) == (size > 0):
                raise Failure(f"{name}: {signal}: {size} bytes went out\n{said}")
        return f"refused: {', '.join(signals)}"


# --- DuckLake ---------------------------------------------------------------------------------------------------------


class DuckLake:
    """A DuckLake with a SQLite catalog."""

    def __init__(self, lakes, name):
        self.folder = lakes.folder / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.catalog, self.data = self.folder / "catalog.sqlite", self.folder / "data"
        self.connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
        self.run(f"LOAD '{extension('duckdb_extension_ducklake', 'ducklake', lakes.folder)}'")
        self.run(f"LOAD '{extension('duckdb_extension_sqlite', 'sqlite_scanner', lakes.folder)}'")
        self.run(f"ATTACH 'ducklake:sqlite:{self.catalog}' AS lake (DATA_PATH '{self.data}/', DATA_INLINING_ROW_LIMIT 0)")

    def run(self, statement):
        return self.connection.execute(statement)

    def table(self, base, name, partitioned=True, limit=""):
        rows = f"SELECT * FROM read_parquet('{base}/{name}/**/*.parquet', hive_partitioning = true, union_by_name = true)"
        self.run(f"CREATE TABLE lake.{name} AS {rows} LIMIT 0")
        if partitioned:
            self.run(f"ALTER TABLE lake.{name} SET PARTITIONED BY (_part_id)")
        self.run(f"INSERT INTO lake.{name} {rows}{limit}")

    def register(self, base, name):
        """The files as they are, without writing them anew."""
        columns = f"SELECT * FROM read_parquet('{base}/{name}/**/*.parquet', hive_partitioning = true, union_by_name = true)"
        self.run(f"CREATE TABLE lake.{name} AS {columns} LIMIT 0")
        self.run(f"ALTER TABLE lake.{name} SET PARTITIONED BY (_part_id)")
        for path in sorted((base / name).rglob("*.parquet")):
            self.run(f"CALL ducklake_add_data_files('lake', '{name}', '{path}', hive_partitioning => true, allow_missing => true, "
                     "ignore_extra_columns => true)")

    def close(self):
        self.connection.close()

    def files(self, **more):
        return {"ducklake": {"catalog": str(self.catalog), **more}}


def tables_of(base):
    return sorted(path.name for path in base.iterdir() if path.is_dir())


def ducklake_of(lakes, name, base=None, **how):
    lake = DuckLake(lakes, name)
    for table in tables_of(base or lakes.own):
        lake.table(base or lakes.own, table, **how)
    return lake


def written_by_duckdb(lakes):
    lake = ducklake_of(lakes, "ducklake-written")
    lake.close()
    return lakes.must_equal("ducklake-written", "rewritten", lake.data, lake.files(), ZERO_SIGNS)


def registered(lakes):
    """Files of upstream's exporter, in place."""
    lake = DuckLake(lakes, "ducklake-registered")
    for table in tables_of(lakes.sample):
        lake.register(lakes.sample, table)
    lake.close()
    return lakes.must_equal("ducklake-registered", "sample", lakes.sample, lake.files())


def registered_own(lakes):
    lake = DuckLake(lakes, "ducklake-own")
    for table in tables_of(lakes.own):
        lake.register(lakes.own, table)
    lake.close()
    return lakes.must_equal("ducklake-own", "own", lakes.own, lake.files())


def earlier_snapshot(lakes):
    lake = ducklake_of(lakes, "ducklake-snapshot")
    snapshot = lake.run("SELECT max(snapshot_id) FROM ducklake_snapshots('lake')").fetchone()[0]
    lake.run("INSERT INTO lake.logs SELECT * FROM lake.logs LIMIT 7")
    lake.run("DELETE FROM lake.spans WHERE id = 0")
    lake.close()
    return lakes.must_equal("ducklake-snapshot", "rewritten", lake.data, lake.files(snapshot=snapshot), ZERO_SIGNS)


def deleted(lakes):
    lake = ducklake_of(lakes, "ducklake-deleted")
    lake.run("DELETE FROM lake.log_attrs WHERE parent_id % 3 = 0")
    lake.close()
    return lakes.must_refuse("ducklake-deleted", lake.data, lake.files(), ["main.log_attrs", "delete", "ducklake_rewrite_data_files"],
                             ["logs"])


def deleted_inline(lakes):
    lake = ducklake_of(lakes, "ducklake-deleted-inline")
    lake.run("CALL lake.set_option('data_inlining_row_limit', 100)")
    lake.run("DELETE FROM lake.spans WHERE id = 3")
    lake.close()
    return lakes.must_refuse("ducklake-deleted-inline", lake.data, lake.files(), ["main.spans", "deleted rows in the catalog"], ["traces"])


def inlined(lakes):
    lake = ducklake_of(lakes, "ducklake-inlined")
    lake.run("CALL lake.set_option('data_inlining_row_limit', 100)")
    lake.run("INSERT INTO lake.resource_attrs SELECT * FROM lake.resource_attrs LIMIT 2")
    lake.close()
    return lakes.must_refuse("ducklake-inlined", lake.data, lake.files(),
                             ["main.resource_attrs", "found 2 rows in the catalog itself", "ducklake_flush_inlined_data"], list(SIGNALS))


def unpartitioned(lakes):
    lake = ducklake_of(lakes, "ducklake-unpartitioned", partitioned=False)
    lake.run("UPDATE lake.logs SET _part_id = 'other' WHERE id % 2 = 0")
    lake.run("CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)")
    lake.close()
    return lakes.must_refuse("ducklake-unpartitioned", lake.data, lake.files(), ["SET PARTITIONED BY (_part_id)"], list(SIGNALS))


def renamed(lakes):
    lake = ducklake_of(lakes, "ducklake-renamed")
    lake.run("ALTER TABLE lake.spans RENAME COLUMN name TO title")
    lake.close()
    return lakes.must_refuse("ducklake-renamed", lake.data, lake.files(), ["main.spans", "column 'name', now 'title', was renamed"],
                             ["traces"])


def dropped(lakes):
    lake = ducklake_of(lakes, "ducklake-dropped")
    lake.run("ALTER TABLE lake.logs DROP COLUMN severity_text")
    lake.close()
    return lakes.must_refuse("ducklake-dropped", lake.data, lake.files(), ["main.logs", "column 'severity_text' was dropped"], ["logs"])


def other_version(lakes):
    lake = ducklake_of(lakes, "ducklake-version")
    lake.close()
    with sqlite3.connect(lake.catalog) as catalog:
        catalog.execute("UPDATE ducklake_metadata SET value = '7.0' WHERE key = 'version'")
    return lakes.must_refuse("ducklake-version", lake.data, lake.files(), ["version '7.0', expected 1.0"], list(SIGNALS))


# --- Delta ------------------------------------------------------------------------------------------------------------


def delta_type(type_):
    """The type that the Delta exporter of mdrakiburrahman/rust-playground gives a column; times get a companion."""
    if pa.types.is_dictionary(type_):
        return delta_type(type_.value_type)
    if pa.types.is_struct(type_):
        return pa.struct([pa.field(field.name, delta_type(field.type), field.nullable) for field in type_])
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return pa.list_(delta_type(type_.value_type))
    if pa.types.is_uint64(type_):
        return pa.decimal128(20, 0)
    if pa.types.is_unsigned_integer(type_):
        return {8: pa.int16(), 16: pa.int32(), 32: pa.int64()}[type_.bit_width]
    if pa.types.is_fixed_size_binary(type_):
        return pa.binary()
    if pa.types.is_duration(type_):
        return pa.int64()
    if pa.types.is_timestamp(type_):
        return pa.timestamp("us", "UTC")
    return type_


def delta_rows(path, partition, namespace):
    """The rows of a file as a Delta table has them, the partition in a column."""
    rows = pq.ParquetFile(path).read()
    columns, names = [], []
    for name in rows.column_names:
        column = rows.column(name).combine_chunks()
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_timestamp(column.type):
            nanos = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())
            micros = pa.array([None if n is None else n // 1000 for n in nanos.to_pylist()], pa.int64())
            columns += [micros.cast(pa.timestamp("us", "UTC")), nanos]
            names += [name, name + NANOS]
            continue
        columns.append(column if column.type == delta_type(column.type)
                       else pa.array(column.to_pylist(), delta_type(column.type)) if not pa.types.is_duration(column.type)
                       else column.cast(pa.int64()))
        names.append(name)
    key, value = partition.split("=")
    columns.append(pa.array([value] * len(rows), pa.string()))
    names.append(NAMESPACE if namespace else key)
    return pa.table(columns, names)


def write_delta(lakes, name, base, partitioned=True, namespace=False, mixed=False, files_per_commit=1, skip=()):
    folder = lakes.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    column = NAMESPACE if namespace else "_part_id"
    for table in tables_of(base):
        if table in skip:
            continue
        written = [delta_rows(path, path.parent.name, namespace) for path in sorted((base / table).rglob("*.parquet"))]
        if mixed:
            written = [pa.concat_tables(written, promote_options="default")]
        for rows in written:
            deltalake.write_deltalake(str(folder / table), rows, mode="append", schema_mode="merge",
                                      partition_by=[column] if partitioned else None)
    return folder


def delta_written(lakes):
    folder = write_delta(lakes, "delta-written", lakes.own)
    return lakes.must_equal("delta-written", "rewritten", folder, {"delta": {}})


def delta_checkpoint(lakes):
    folder = write_delta(lakes, "delta-checkpoint", lakes.own)
    for table in tables_of(folder):
        lake = deltalake.DeltaTable(str(folder / table))
        lake.create_checkpoint()
        last = lake.version()
        for version in range(last + 1):
            (folder / table / "_delta_log" / f"{version:020}.json").unlink()
    return lakes.must_equal("delta-checkpoint", "rewritten", folder, {"delta": {}})


def delta_compacted(lakes):
    folder = write_delta(lakes, "delta-compacted", lakes.own)
    for table in tables_of(folder):
        deltalake.DeltaTable(str(folder / table)).optimize.compact()
    return lakes.must_equal("delta-compacted", "rewritten", folder, {"delta": {}})


def delta_namespaces(lakes):
    folder = write_delta(lakes, "delta-namespaces", lakes.own, partitioned=False, namespace=True)
    return lakes.must_equal("delta-namespaces", "rewritten", folder, {"delta": {}})


def delta_mixed(lakes):
    folder = write_delta(lakes, "delta-mixed", lakes.own, partitioned=False, namespace=True, mixed=True)
    return lakes.must_refuse("delta-mixed", folder, {"delta": {}}, [f"all rows have one {NAMESPACE}"], list(SIGNALS))


def delta_uncommitted(lakes):
    folder = write_delta(lakes, "delta-uncommitted", lakes.own)
    path = next((folder / "logs").rglob("*.parquet"))
    shutil.copy(path, path.with_name("part-uncommitted.parquet"))
    return lakes.must_equal("delta-uncommitted", "rewritten", folder, {"delta": {}})


def delta_gap(lakes):
    folder = write_delta(lakes, "delta-gap", lakes.own)
    deltalake.write_deltalake(str(folder / "logs"), deltalake.DeltaTable(str(folder / "logs")).to_pyarrow_table().slice(0, 1), mode="append")
    (folder / "logs" / "_delta_log" / f"{1:020}.json").rename(folder / "gone.json")
    for version in range(3):
        shutil.copy(folder / "gone.json", folder / "logs" / "_delta_log" / f"{version + 2:020}.json")
    return lakes.must_refuse("delta-gap", folder, {"delta": {}}, [f"found no {1:020}.json"], ["logs"])


def plan(lakes):
    done = subprocess.run([lakes.world.engine_binary, "files", lakes.own], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(done.stderr)
    path = lakes.folder / "plan.jsonl"
    path.write_text(done.stdout)
    return lakes.must_equal("plan", "own", lakes.own, {"plan": str(path)})


CHECKS = (plan, written_by_duckdb, registered, registered_own, earlier_snapshot, deleted, deleted_inline, inlined, unpartitioned, renamed, dropped,
          other_version, delta_written, delta_checkpoint, delta_compacted, delta_namespaces, delta_mixed, delta_uncommitted, delta_gap)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    num_failed = 0
    try:
        lakes = Lakes(World(options.build.resolve(), options.work.resolve()))
        for check in (check for check in CHECKS if options.only in check.__name__):
            try:
                print(f"ok   {check.__name__}: {check(lakes)}", flush=True)
            except Failure as failure:
                num_failed += 1
                print(f"FAIL {failure}", flush=True)
    except Failure as failure:
        sys.exit(str(failure))
    if num_failed:
        sys.exit(f"{num_failed} checks failed")


if __name__ == "__main__":
    main()
