"""What five selections fetch from a store: bytes and requests, beside DuckDB reading the same records of the same files.

Both go through the proxy, which counts answers; the store takes 50 ms a request.
"""
import re
import time

import proxy

LATENCY = 0.05


class Selections:
    """Five selections of an archive of ours with logs and spans."""

    def __init__(self, tree):
        import duckdb
        local = duckdb.connect()
        logs = f"read_parquet('{tree}/logs/*/*.parquet')"
        first, last = local.sql(f"SELECT min(epoch_ns(time_unix_nano)), max(epoch_ns(time_unix_nano)) FROM {logs}").fetchone()
        begin = first + (last - first) // 2
        end = begin + (last - first) * 15 // 1000
        trace = local.sql(f"SELECT lower(hex(trace_id)) FROM read_parquet('{tree}/spans/*/*.parquet') "
                          "OFFSET 1000000 LIMIT 1").fetchone()[0]
        self.rows = [
            ("1.5 % of the time", "logs", f'time: {{from: "{begin}ns", to: "{end}ns"}}',
             f"time_unix_nano >= make_timestamp_ns({begin}) AND time_unix_nano < make_timestamp_ns({end})"),
            ("one trace id", "traces", f'trace_ids: ["{trace}"]', f"hex(trace_id) = upper('{trace}')"),
            ("severity_number >= ERROR", "logs", "where: {logs: 'severity_number >= SEVERITY_NUMBER_ERROR'}",
             "severity_number >= 17"),
            ("an attribute that none has", "logs", """where: {logs: 'attributes["no.such.key"] == "x"'}""",
             "(_part_id, id) IN (SELECT (_part_id, parent_id) FROM {attributes} WHERE key = 'no.such.key' AND str = 'x')"),
            ("everything", "logs", None, "true"),
        ]


def ask_duckdb(store, port, signal, condition, tables):
    """Fetches the records of a condition with all that belongs to them; returns their number."""
    import duckdb
    database = duckdb.connect(config={"threads": "2"})
    base = store.open_duckdb(database, port)
    root, attributes = ("logs", "log_attrs") if signal == "logs" else ("spans", "span_attrs")

    def table(name):
        return f"read_parquet('{base}/far/{name}/*/*.parquet', hive_partitioning = true)"

    database.sql("SET enable_object_cache = false")
    database.sql(f"CREATE TABLE records AS SELECT * FROM {table(root)} "
                 f"WHERE {condition.format(attributes=table(attributes))}")
    children = [attributes] + (["span_events", "span_links"] if signal == "traces" else [])
    for child in tables.intersection(children):
        database.sql(f"CREATE TABLE {child} AS SELECT * FROM {table(child)} a WHERE EXISTS "
                     "(SELECT 1 FROM records r WHERE r._part_id = a._part_id AND r.id = a.parent_id)")
    for shared in tables.intersection(("resource_attrs", "scope_attrs")):
        database.sql(f"CREATE TABLE {shared} AS SELECT * FROM {table(shared)} a WHERE EXISTS "
                     "(SELECT 1 FROM records r WHERE r._part_id = a._part_id)")
    return database.sql("SELECT count(*) FROM records").fetchone()[0]


def measure(port_of, ask):
    """Returns what a call cost over a proxy of its own: result, MB, requests as text, seconds."""
    port, counts = port_of()
    begin = time.monotonic()
    result = ask(port)
    seconds = time.monotonic() - begin
    requests = " + ".join(f"{counts[method]} {method}" for method in ("GET", "HEAD", "POST") if counts[method])
    return result, f"{counts['bytes'] / 1e6:.2f} MB, {requests}, {seconds:.1f} s"


def check(store, checks, tree):
    """Prints a row for each selection; the archive is in the store as far/."""
    tables = {path.name for path in tree.iterdir()}
    print(f"| {store.name} | df_engine | DuckDB |\n|---|---|---|", flush=True)
    for name, signal, select, condition in Selections(tree).rows:
        more = f", signal_types: [{signal}]" + (f", select: {{{select}}}" if select else "")

        def port_of():
            return proxy.start(store.port, 0, latency=LATENCY, faults=False)

        problem, ours = measure(port_of, lambda port: checks.run("slice", store.storage("far", port),
                                                                 '{type: "exporter:noop"}', 1, store.environment, more))
        found = checks.delivered(signal)
        asked = re.search(r"ranges with (\d+) bytes", checks.lines)
        if asked:  # the client of GCS begins to read files whole, and breaks off: the proxy has read them by then
            ours = f"{int(asked[1]) / 1e6:.2f} MB asked for; {ours}"
        theirs = "-"
        if hasattr(store, "open_duckdb"):
            try:
                count, theirs = measure(port_of, lambda port: ask_duckdb(store, port, signal, condition, tables))
                if count != found:
                    theirs += f", **{count} records**"
            except ImportError as error:
                theirs = f"left out: {error}"
        print(f"| {name}, {found} {signal} | {ours} | {theirs} |", flush=True)
        if problem:
            checks.say(f"{store.name}: {name}", problem)
