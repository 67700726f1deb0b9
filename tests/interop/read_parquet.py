"""Reads files of the Parquet exporter with pyarrow and DuckDB: every file, every column, the same
rows in both, ids that join, and the SQL of docs/parquet-files.md.

    read_parquet.py BASE [--docs docs/parquet-files.md]

Needs pyarrow and duckdb.
"""

import argparse
import pathlib
import re
import subprocess

import duckdb
import pyarrow.parquet as pq

PARENTS = {
    "log_attrs": "logs",
    "span_attrs": "spans",
    "span_events": "spans",
    "span_links": "spans",
    "span_event_attrs": "span_events",
    "span_link_attrs": "span_links",
    "metric_attrs": "univariate_metrics",
    "number_data_points": "univariate_metrics",
    "summary_data_points": "univariate_metrics",
    "histogram_data_points": "univariate_metrics",
    "exp_histogram_data_points": "univariate_metrics",
    "number_dp_attrs": "number_data_points",
    "summary_dp_attrs": "summary_data_points",
    "histogram_dp_attrs": "histogram_data_points",
    "exp_histogram_dp_attrs": "exp_histogram_data_points",
    "number_dp_exemplars": "number_data_points",
    "histogram_dp_exemplars": "histogram_data_points",
    "exp_histogram_dp_exemplars": "exp_histogram_data_points",
    "number_dp_exemplar_attrs": "number_dp_exemplars",
    "histogram_dp_exemplar_attrs": "histogram_dp_exemplars",
    "exp_histogram_dp_exemplar_attrs": "exp_histogram_dp_exemplars",
}
ROOTS = ["logs", "spans", "univariate_metrics"]


def check_files(base):
    """Reads every file with both readers. Returns the rows of each table."""
    rows = {}
    schemas = {}
    for path in sorted(base.rglob("*.parquet")):
        table = path.relative_to(base).parts[0]
        file = pq.ParquetFile(path, page_checksum_verification=True)
        metadata = file.metadata.metadata
        assert metadata[b"otap.format_version"] == b"2", path
        assert metadata[b"otap.layout"] == b"star", path
        assert metadata[b"otap.producer"], path
        assert metadata[b"otap.id_scope"] == b"partition", path
        data = file.read()
        data.validate(full=True)
        schema = data.schema.remove_metadata()
        assert schemas.setdefault(table, schema) == schema, f"{path}: {schema}"
        ours = duckdb.sql(f"SELECT * FROM read_parquet('{path}', hive_partitioning=false)")
        theirs = ours.to_arrow_table()
        assert theirs.num_rows == data.num_rows, path
        for name in data.column_names:
            if name.endswith("_id") and str(data.schema.field(name).type).startswith("fixed"):
                assert theirs[name].to_pylist() == data[name].to_pylist(), (path, name)
        for group in range(file.metadata.num_row_groups):
            for index in range(file.metadata.num_columns):
                assert file.metadata.row_group(group).column(index).has_offset_index, path
        if "trace_id" in data.column_names:
            blooms = duckdb.sql(
                f"SELECT bloom_filter_length FROM parquet_metadata('{path}') "
                f"WHERE path_in_schema = 'trace_id'"
            ).fetchall()
            assert blooms and all(length for (length,) in blooms), path
        if "parent_id" in data.column_names:
            parents = data["parent_id"].to_pylist()
            assert parents == sorted(parents), path
            for group in range(file.metadata.num_row_groups):
                sorting = file.metadata.row_group(group).sorting_columns
                column = file.metadata.row_group(group).column(sorting[0].column_index)
                assert column.path_in_schema == "parent_id", path
        rows[table] = rows.get(table, 0) + data.num_rows
    return rows


def view(connection, base, table):
    connection.sql(
        f"CREATE VIEW {table} AS SELECT * FROM "
        f"read_parquet('{base}/{table}/**/*.parquet', hive_partitioning=true)"
    )


def check_joins(connection, tables):
    """Every child has exactly one parent, also resources and scopes."""
    for child, parent in PARENTS.items():
        if child in tables:
            orphans = connection.sql(
                f"SELECT count(*) FROM {child} c ANTI JOIN {parent} p "
                f"ON c._part_id = p._part_id AND c.parent_id = p.id"
            ).fetchall()[0][0]
            assert orphans == 0, (child, orphans)
    for group in ("resource", "scope"):
        owners = " UNION ALL ".join(
            f"SELECT DISTINCT _part_id, {group}.id AS id FROM {root}"
            for root in ROOTS
            if root in tables
        )
        if f"{group}_attrs" in tables:
            orphans = connection.sql(
                f"SELECT count(*) FROM {group}_attrs c ANTI JOIN ({owners}) p "
                f"ON c._part_id = p._part_id AND c.parent_id = p.id"
            ).fetchall()[0][0]
            assert orphans == 0, (group, orphans)


def check_documented_sql(connection, docs, tables):
    """Runs the queries of the document for which there are tables."""
    count = 0
    for query in re.findall(r"```sql\n(.*?)```", docs.read_text(), re.S):
        if "CREATE" in query or any(
            name not in tables
            for name in re.findall(r"\b(?:FROM|JOIN) ([a-z_]+)", query)
        ):
            continue
        assert connection.sql(query).fetchall(), query
        count += 1
    return count


def report(base, docs):
    """Checks a tree; returns a line that says what was there."""
    rows = check_files(base)
    assert rows, "no files"
    connection = duckdb.connect()
    for table in rows:
        view(connection, base, table)
    check_joins(connection, rows)
    queries = check_documented_sql(connection, docs, rows) if docs else 0
    return f"{len(rows)} tables, {sum(rows.values())} rows, {queries} documented queries"


def check(world):
    """Lets the engine write the corner set anew, and reads what it wrote."""
    root = pathlib.Path(__file__).resolve().parents[2]
    folder = world.folder("read-parquet")
    document = folder / "write.yaml"
    document.write_text(f"""
version: otel_dataflow/v1
groups:
  default:
    pipelines:
      main:
        nodes:
          in:
            type: receiver:parquet
            config: {{base_uri: {root / "examples/data/corner/parquet"}, polling_interval: once}}
          out: {{type: exporter:parquet, config: {{base_uri: {folder / "parquet"}}}}}
        connections: [{{from: in, to: out}}]
""")
    subprocess.run([world.engine_binary, "--strict", "-c", document], check=True, capture_output=True)
    try:
        return [report(folder / "parquet", root / "docs/parquet-files.md")]
    except AssertionError as wrong:
        raise RuntimeError(str(wrong)) from wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("base", type=pathlib.Path)
    parser.add_argument("--docs", type=pathlib.Path)
    arguments = parser.parse_args()
    print(report(arguments.base, arguments.docs))


if __name__ == "__main__":
    main()
