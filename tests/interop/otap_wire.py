#!/usr/bin/env python3
"""Reads what our OTAP producer writes with pyarrow, and compares what comes back with what was given.

Usage: otap_wire.py RECODE COMPARE GENERATOR [--seeds N] [--requests N]
RECODE is the program otap_recode, COMPARE otlp_compare, GENERATOR the script otlp_generate.py.
For each seed, profile and signal: OTLP -> OTAP messages; every payload is read with pyarrow's IPC reader and checked against
the model (columns, types, dictionary keys, required values, encoding marks); OTAP messages -> OTLP, which has to hold the
same items, with no excuse.
"""
import argparse, io, os, struct, subprocess, sys, tempfile

import pyarrow as pa
import pyarrow.ipc

SIGNALS = ("logs", "traces", "metrics")
PROFILES = ("steady", "plain", "corner", "wide", "many_resources")

u8, u16, u32, u64, i32, i64 = pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.int32(), pa.int64()
f64, text, blob, flag = pa.float64(), pa.utf8(), pa.binary(), pa.bool_()
id8, id16 = pa.binary(8), pa.binary(16)
time, duration = pa.timestamp("ns"), pa.duration("ns")
N, D8, D16 = None, 8, 16  # native only; keys of 8 bits or more; keys of 16 bits
counts, bounds = pa.list_(u64), pa.list_(f64)

# name: (type or children, narrowest dictionary key, is required). Written from format reference 2 and 5.1.
RESOURCE = {"id": (u16, N, 0), "schema_url": (text, D8, 0), "dropped_attributes_count": (u32, N, 0)}
SCOPE = {"id": (u16, N, 0), "name": (text, D8, 0), "version": (text, D8, 0), "dropped_attributes_count": (u32, N, 0)}
VALUE = {"type": (u8, N, 1), "str": (text, D16, 0), "int": (i64, D16, 0), "double": (f64, N, 0), "bool": (flag, N, 0),
         "bytes": (blob, D16, 0), "ser": (blob, D16, 0)}
BUCKETS = {"offset": (i32, N, 0), "bucket_counts": (counts, N, 0)}
QUANTILES = pa.list_(pa.struct([("quantile", f64), ("value", f64)]))


def root(id_required, **columns):
    return {"id": (u16, N, id_required), "resource": (RESOURCE, N, 0), "scope": (SCOPE, N, 0), "schema_url": (text, D8, 0),
            **columns}


def attributes(parent):
    return {"parent_id": parent, "key": (text, D8, 1), **VALUE}


def points(**columns):
    return {"id": (u32, N, 0), "parent_id": (u16, N, 1), "start_time_unix_nano": (time, N, 0),
            "time_unix_nano": (time, N, 0), "flags": (u32, N, 0), **columns}


ATTRIBUTES16, ATTRIBUTES32 = attributes((u16, N, 1)), attributes((u32, D8, 1))
EXEMPLARS = {"id": (u32, N, 0), "parent_id": (u32, D8, 1), "time_unix_nano": (time, N, 1), "int_value": (i64, D8, 0),
             "double_value": (f64, N, 0), "span_id": (id8, D8, 0), "trace_id": (id16, D8, 0)}
LOGS = root(0, time_unix_nano=(time, N, 0), observed_time_unix_nano=(time, N, 0), trace_id=(id16, D8, 0),
            span_id=(id8, D8, 0), severity_number=(i32, D8, 0), severity_text=(text, D8, 0), body=(VALUE, N, 0),
            dropped_attributes_count=(u32, N, 0), event_name=(text, D8, 0), flags=(u32, N, 0))
SPANS = root(0, start_time_unix_nano=(time, N, 1), duration_time_unix_nano=(duration, D8, 1), trace_id=(id16, D8, 1),
             span_id=(id8, D8, 1), trace_state=(text, D8, 0), parent_span_id=(id8, N, 0), name=(text, D8, 1),
             kind=(i32, D8, 0), dropped_attributes_count=(u32, N, 0), dropped_events_count=(u32, N, 0),
             dropped_links_count=(u32, N, 0), status=({"code": (i32, D8, 0), "status_message": (text, D8, 0)}, N, 0),
             flags=(u32, N, 0))
METRICS = root(1, metric_type=(u8, N, 1), name=(text, D8, 1), description=(text, D8, 0), unit=(text, D8, 0),
               aggregation_temporality=(i32, D8, 0), is_monotonic=(flag, N, 0))
EVENTS = {"id": (u32, N, 0), "parent_id": (u16, N, 1), "time_unix_nano": (time, N, 0), "name": (text, D8, 1),
          "dropped_attributes_count": (u32, N, 0)}
LINKS = {"id": (u32, N, 0), "parent_id": (u16, N, 1), "trace_id": (id16, D8, 1), "span_id": (id8, D8, 1),
         "trace_state": (text, D8, 0), "dropped_attributes_count": (u32, N, 0), "flags": (u32, N, 0)}
NUMBERS = points(int_value=(i64, N, 0), double_value=(f64, N, 0))
SUMMARIES = points(count=(u64, N, 0), sum=(f64, N, 0), quantile=(QUANTILES, N, 0))
HISTOGRAMS = points(count=(u64, N, 0), sum=(f64, N, 0), bucket_counts=(counts, N, 0), explicit_bounds=(bounds, N, 0),
                    min=(f64, N, 0), max=(f64, N, 0))
EXPONENTIALS = points(count=(u64, N, 0), sum=(f64, N, 0), scale=(i32, N, 0), zero_count=(u64, N, 0),
                      positive=(BUCKETS, N, 0), negative=(BUCKETS, N, 0), min=(f64, N, 0), max=(f64, N, 0),
                      zero_threshold=(f64, N, 0))
TABLES = {
    "logs": {1: ATTRIBUTES16, 2: ATTRIBUTES16, 30: LOGS, 31: ATTRIBUTES16},
    "traces": {1: ATTRIBUTES16, 2: ATTRIBUTES16, 40: SPANS, 41: ATTRIBUTES16, 42: EVENTS, 43: LINKS, 44: ATTRIBUTES32,
               45: ATTRIBUTES32},
    "metrics": {1: ATTRIBUTES16, 2: ATTRIBUTES16, 10: METRICS, 11: NUMBERS, 12: SUMMARIES, 13: HISTOGRAMS,
                14: EXPONENTIALS, **{number: ATTRIBUTES32 for number in (15, 16, 17, 18, 22, 23, 24)},
                19: EXEMPLARS, 20: EXEMPLARS, 21: EXEMPLARS, 26: ATTRIBUTES16},
}
DELTA_PARENTS = (11, 12, 13, 14)


class Refused(Exception):
    pass


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """Yields (number, value) of a protobuf message that has varints and byte strings only."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        elif tag & 7 != 0:
            raise Refused(f"wire type {tag & 7}")
        yield tag >> 3, value


class Growing(io.RawIOBase):
    """A file to which payloads are added while the reader reads."""

    def __init__(self):
        self.data, self.at = b"", 0

    def readable(self):
        return True

    def read(self, size=-1):
        piece = self.data[self.at:] if size < 0 else self.data[self.at:self.at + size]
        self.at += len(piece)
        return piece


def check_level(path, model, names_and_arrays, fields_by_name, parent_marks):
    seen = set()
    for name, array in names_and_arrays:
        where = f"{path}{name}"
        if name not in model or name in seen:
            raise Refused(f"{where}: extraneous or repeated")
        seen.add(name)
        kind, key_bits, required = model[name]
        field = fields_by_name[name]
        if isinstance(kind, dict):
            if not pa.types.is_struct(array.type):
                raise Refused(f"{where}: {array.type} is no struct")
            children = [(array.type.field(i).name, array.field(i)) for i in range(array.type.num_fields)]
            check_level(where + ".", kind, children, {f.name: f for f in array.type}, parent_marks)
            continue
        found = array.type
        if pa.types.is_dictionary(found):
            bits = {u8: 8, u16: 16}.get(found.index_type)
            if key_bits is None or bits is None or bits < key_bits:
                raise Refused(f"{where}: {found}")
            if array.dictionary.null_count or len(array.dictionary.unique()) != len(array.dictionary):
                raise Refused(f"{where}: the dictionary has a null or a value twice")
            found = found.value_type
        if found != kind and not (pa.types.is_list(found) and str(found) == str(kind)):
            raise Refused(f"{where}: {found}, expected {kind}")
        if required and array.null_count:
            raise Refused(f"{where}: null in a required column")
        if name in ("id", "parent_id"):
            expected = parent_marks if name == "parent_id" else b"delta"
            if (field.metadata or {}).get(b"encoding") != expected:
                raise Refused(f"{where}: marked {field.metadata}, expected {expected}")
    missing = [name for name, column in model.items() if column[2] and name not in seen]
    if missing:
        raise Refused(f"{path}: {missing} missing")


def check_stream(signal, data):
    """Checks every message of a file; returns how many record batches were read."""
    readers, schema_of_type, batches, at = {}, {}, 0, 0
    while at < len(data):
        size = struct.unpack(">I", data[at:at + 4])[0]
        message, at = data[at + 4:at + 4 + size], at + 4 + size
        last_type = 0
        for number, value in fields(message):
            if number != 2:
                continue
            payload = dict(fields(value))
            schema_id, kind, record = bytes(payload[1]).decode(), payload[2], bytes(payload[3])
            if not schema_id.isdecimal() or kind <= last_type or kind not in TABLES[signal]:
                raise Refused(f"payload {kind} with schema id {schema_id} behind {last_type}")
            last_type = kind
            if schema_of_type.get(kind) != schema_id:
                if schema_id in readers:
                    raise Refused(f"schema id {schema_id} is used twice")
                schema_of_type[kind] = schema_id
                readers[schema_id] = [Growing(), None]
            source = readers[schema_id][0]
            source.data, source.at = record, 0
            if readers[schema_id][1] is None:
                readers[schema_id][1] = pa.ipc.open_stream(pa.PythonFile(source, mode="r"))
            table = readers[schema_id][1].read_next_batch()
            if source.at != len(record):
                raise Refused(f"payload {kind}: more than one record batch")
            table.validate(full=True)
            if table.num_rows == 0 or table.schema.metadata:
                raise Refused(f"payload {kind}: no rows, or metadata of the schema")
            check_level(f"{kind}.", TABLES[signal][kind], list(zip(table.schema.names, table.columns)),
                        {f.name: f for f in table.schema}, b"delta" if kind in DELTA_PARENTS else b"quasidelta")
            batches += 1
    return batches


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recode")
    parser.add_argument("compare")
    parser.add_argument("generator")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=4)
    options = parser.parse_args()
    failures = total = 0
    with tempfile.TemporaryDirectory() as folder:
        given, wire, back = (os.path.join(folder, name) for name in ("given.otlp", "wire.otap", "back.otlp"))
        for seed in range(1, options.seeds + 1):
            for profile in PROFILES:
                for signal in SIGNALS:
                    subprocess.run([sys.executable, options.generator, "--signal", signal, "--profile", profile, "--seed",
                                    str(seed), "--requests", str(options.requests), "--out", given], check=True,
                                   stdout=subprocess.DEVNULL)
                    subprocess.run([options.recode, signal, "otap", given, wire], check=True, stdout=subprocess.DEVNULL)
                    try:
                        with open(wire, "rb") as file:
                            total += check_stream(signal, file.read())
                    except (Refused, pa.ArrowException) as error:
                        failures += 1
                        print(f"seed {seed} {profile} {signal}: {error}")
                    subprocess.run([options.recode, signal, "otlp", wire, back], check=True)
                    compared = subprocess.run([options.compare, signal, given, back], capture_output=True, text=True)
                    if compared.returncode != 0:
                        failures += 1
                        print(f"seed {seed} {profile} {signal}: {compared.stdout.strip()}")
    print(f"{options.seeds} seeds, {total} record batches read, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
