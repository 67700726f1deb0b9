"""The rows of the schema matrix: how each rewrites files of the tree, and what has to come out."""
import base64
import datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import schema_tree

try:
    import duckdb
except ImportError:
    duckdb = None
try:
    import polars
except ImportError:
    polars = None
try:
    import fastparquet
except ImportError:
    fastparquet = None
try:
    import arro3.io
except ImportError:
    arro3 = None

PART = 1  # the part whose files are written anew where not all are
KEYS = schema_tree.KEYS


# --- columns -----------------------------------------------------------------------------------------------------

def on_columns(rows, change, path=()):
    """The rows with each column, and each child of a struct, through change(path, field, array) -> (field, array) or
    None."""
    fields, arrays = [], []
    for field, column in zip(rows.schema, rows.columns):
        array = column.combine_chunks()
        array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
        if pa.types.is_struct(field.type):
            children = [(f, pc.struct_field(array, f.name)) for f in field.type]
            changed = [c for c in (change((field.name, f.name), f, a) for f, a in children) if c is not None]
            if not changed:
                continue
            array = pa.StructArray.from_arrays([a for _, a in changed], fields=[f for f, _ in changed],
                                               mask=array.is_null())
            fields.append(pa.field(field.name, array.type, field.nullable))
            arrays.append(array)
        else:
            changed = change((field.name,), field, array)
            if changed is not None:
                fields.append(changed[0])
                arrays.append(changed[1])
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=rows.schema.metadata))


def retype(rows, applies, cast):
    """The rows with each column of which applies(path, field) is true through cast(array)."""
    def change(path, field, array):
        if not applies(path, field):
            return field, array
        new = cast(array)
        return pa.field(field.name, new.type, field.nullable), new
    return on_columns(rows, change)


def writing(transform, only_part=PART, **options):
    """A function that writes the files of one part transformed, the others plainly; of all where only_part is None."""
    def write(table, part, rows, path):
        if only_part is None or part == only_part:
            rows = transform(table, rows)
            pq.write_table(rows, path, **options)
        else:
            pq.write_table(rows, path)
    return write


def whole(table, rows):
    return rows


# --- drifts ------------------------------------------------------------------------------------------------------

def without_empty(table, rows):
    return on_columns(rows, lambda path, f, a: None if a.null_count == len(a) else (f, a))


def reordered(table, rows):
    arrays, fields = [], []
    for field in reversed(rows.schema):
        array = rows.column(field.name).combine_chunks()
        array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
        if pa.types.is_struct(field.type):
            order = list(reversed([f for f in field.type]))
            array = pa.StructArray.from_arrays([pc.struct_field(array, f.name) for f in order], fields=order,
                                               mask=array.is_null())
        arrays.append(array)
        fields.append(pa.field(field.name, array.type, field.nullable))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=rows.schema.metadata))


UNSIGNED = {8: pa.uint16(), 16: pa.uint32(), 32: pa.uint64()}
SIGNED = {8: pa.int16(), 16: pa.int32(), 32: pa.int64()}


def wider_unsigned(table, rows):
    return retype(rows, lambda p, f: pa.types.is_unsigned_integer(f.type) and f.type.bit_width < 64,
                  lambda a: a.cast(UNSIGNED[a.type.bit_width]))


def wider_signed(table, rows):
    return retype(rows, lambda p, f: pa.types.is_signed_integer(f.type) and f.type.bit_width < 64,
                  lambda a: a.cast(SIGNED[a.type.bit_width]))


def is_double(path, field):
    return pa.types.is_float64(field.type) or (pa.types.is_list(field.type)
                                               and pa.types.is_float64(field.type.value_type))


def to_float(array):
    if not pa.types.is_list(array.type):
        return array.cast(pa.float32(), safe=False)
    return array.cast(pa.list_(pa.float32()), safe=False)


def short_floats(table, rows):
    """Doubles as 32 bits where all of a column's values are the same then."""
    def change(path, field, array):
        if not is_double(path, field):
            return field, array
        new = to_float(array)
        if not new.cast(field.type).equals(array):
            return field, array
        return pa.field(field.name, new.type, field.nullable), new
    return on_columns(rows, change)


def in_dictionaries(table, rows, index=pa.int32()):
    return retype(rows, lambda p, f: pa.types.is_string(f.type) or pa.types.is_binary(f.type)
                  or pa.types.is_fixed_size_binary(f.type) or (pa.types.is_integer(f.type) and len(p) == 1),
                  lambda a: a.dictionary_encode().cast(pa.dictionary(index, a.type)))


def required(table, rows):
    def change(path, field, array):
        return field.with_nullable(array.null_count > 0), array
    return on_columns(rows, change)


NAMES = {"logs": "severity_text", "spans": "name", "univariate_metrics": "name"}


def text_as_number(table, rows):
    if table not in NAMES:
        return rows
    return retype(rows, lambda p, f: p == (NAMES[table],),
                  lambda a: pa.array([None if v is None else len(v) for v in a.to_pylist()], pa.int64()))


def struct_field_added(table, rows):
    def grown(array):
        children = [pc.struct_field(array, f.name) for f in array.type] + [pa.array([7] * len(array), pa.int64())]
        fields = [f for f in array.type] + [pa.field("vendor_number", pa.int64())]
        return pa.StructArray.from_arrays(children, fields=fields, mask=array.is_null())
    for i, field in enumerate(rows.schema):
        if pa.types.is_struct(field.type):
            array = rows.column(i).combine_chunks()
            array = grown(array.chunk(0) if isinstance(array, pa.ChunkedArray) else array)
            rows = rows.set_column(i, pa.field(field.name, array.type, field.nullable), array)
    return rows


def unknown_column(table, rows):
    return rows.append_column("vendor_note", pa.array(["note"] * len(rows)))


DRIFTS = (  # S-12, in its order; the first file is as all are
    ("column added", without_empty, "identical"), ("column removed", without_empty, "identical"),
    ("reordered", reordered, "identical"), ("u16 to u32, every unsigned number", wider_unsigned, "identical"),
    ("i32 to i64, every signed number", wider_signed, "identical"),
    ("f32 to f64, where f32 is exact", short_floats, "notice"),
    ("plain to dictionary", in_dictionaries, "identical"), ("nullable to required", required, "identical"),
    ("text to number", text_as_number, "named"), ("struct field added", struct_field_added, "notice"),
    ("unknown column", unknown_column, "notice"), ("back to the first", whole, "identical"))


def upstream(Row, Unwritable):
    """The same between files of upstream's exporter, whose ids prove nothing by their width."""
    for name, change in (
            ("as it is", whole), ("columns without values removed", without_empty), ("reordered", reordered),
            ("every unsigned number wider", wider_unsigned), ("every signed number wider", wider_signed),
            ("ids as int64", lambda t, r: retype(r, number_id, lambda a: a.cast(pa.int64()))),
            ("ids as decimal(20,0)", lambda t, r: retype(r, number_id, decimals(20))),
            ("nullable to required", required), ("as Spark", as_spark)):
        for only_part, where in ((PART, "one file a table"), (None, "all files")):
            yield Row("upstream's files", f"{name}, {where}", "identical", writing(change, only_part), parts=schema_tree.SAMPLED)
    for name, write in (("polars", polars and by_polars), ("DuckDB", duckdb and by_duckdb), ("parquet-rs", arro3 and by_parquet_rs)):
        if write:
            yield Row("upstream's files", f"{name}, one file a table", "identical", write(PART), parts=schema_tree.SAMPLED)


def drifts(Row, Unwritable):
    for name, change, wanted in DRIFTS:
        if name == "column added":  # to all files but one, so that the others have what it has not
            def write(table, part, rows, path):
                pq.write_table(rows if part == PART else without_empty(table, rows), path)
        else:
            write = writing(lambda table, rows, change=change: change(table, rows))
        names = {"named": ("expected string", "part-2-a.parquet"), "notice": ("vendor_n",), "identical": ()}[wanted]
        if name.startswith("f32"):
            names = ("numbers of 32 bits",)
        yield Row("S-12", name, wanted, write, names=names)

    def twelve(skip):
        def write(table, part, rows, path):
            change = DRIFTS[part][1] if DRIFTS[part][0] not in skip else whole
            pq.write_table(change(table, rows), path)
        return write
    yield Row("S-12", "the twelve in one partition, without text to number", "notice", twelve({"text to number"}), parts=12)
    yield Row("S-12", "the twelve in one partition", "named", twelve(()), parts=12,
              names=("expected string", "part-9-a.parquet"))


# --- types -------------------------------------------------------------------------------------------------------

def is_id(path):
    return path[-1] in ("id", "parent_id")


def decimals(width):
    def cast(array):
        return array.cast(pa.decimal128(width, 0)) if width <= 38 else array.cast(pa.decimal256(width, 0))
    return cast


def hexadecimal(array):
    return pa.array([None if v is None else v.hex() for v in array.to_pylist()])


def as_uuid(array):
    return pa.ExtensionArray.from_storage(pa.uuid(), array) if array.type.byte_width == 16 else array


def time_cast(unit, zone=None):
    def cast(array):
        return array.cast(pa.timestamp(unit, zone), safe=False)
    return cast


def coarser(applies, unit):
    """What files with times of a unit mean."""
    def meaning(table, part, rows):
        if part != PART:
            return rows
        kind = pa.timestamp if applies is is_time else pa.duration
        return retype(rows, applies, lambda a: a.cast(kind(unit), safe=False).cast(a.type))
    return meaning


def is_time(path, field):
    return pa.types.is_timestamp(field.type)


def is_duration(path, field):
    return pa.types.is_duration(field.type)


def is_text(path, field):
    return pa.types.is_string(field.type)


def is_bytes(path, field):
    return pa.types.is_binary(field.type)


def is_fixed(path, field):
    return pa.types.is_fixed_size_binary(field.type)


def is_truth(path, field):
    return pa.types.is_boolean(field.type)


def is_number_list(path, field):
    return pa.types.is_list(field.type) and pa.types.is_uint64(field.type.value_type)


def is_real_list(path, field):
    return pa.types.is_list(field.type) and pa.types.is_float64(field.type.value_type)


def is_list(path, field):
    return pa.types.is_list(field.type)


def of(*kinds):
    return lambda path, field: field.type in kinds


def number_id(path, field):
    return is_id(path)


def any_integer(path, field):
    return pa.types.is_integer(field.type)


def items_as(kind):
    return lambda array: array.cast(pa.list_(kind))


def companion(table, rows):
    """Times in microseconds, and the whole nanoseconds beside them, as one writer to Delta has them."""
    for field in list(rows.schema):
        if is_time((field.name,), field):
            i = rows.schema.get_field_index(field.name)
            rows = rows.append_column(f"{field.name}__unix_nanos", rows.column(i).cast(pa.int64()))
            rows = rows.set_column(i, field.name, rows.column(i).cast(pa.timestamp("us"), safe=False))
    return rows


def types(Row, Unwritable):
    def row(what, applies, cast, wanted="identical", names=(), meaning=None, **options):
        def change(table, rows):
            return retype(rows, applies, cast)
        return Row("types", what, wanted, writing(change, **options), names=names, meaning=meaning)

    small = of(pa.uint8())
    u32, u64, i32, i64 = of(pa.uint32()), of(pa.uint64()), of(pa.int32()), of(pa.int64())
    for name, applies, kinds in (
            ("ids", number_id, (pa.int32(), pa.int64(), pa.uint64(), pa.float64())),
            ("uint8", small, (pa.int8(), pa.int16(), pa.int32(), pa.uint16(), pa.uint32(), pa.int64(), pa.float64())),
            ("uint32", u32, (pa.int64(), pa.uint64(), pa.float64())),
            ("int32", i32, (pa.int8(), pa.int16(), pa.uint8(), pa.uint32(), pa.int64(), pa.float64()))):
        for kind in kinds:
            yield row(f"{name} as {kind}", applies, lambda a, kind=kind: fitting(a, kind))
        yield row(f"{name} as decimal(10,0)", applies, decimals(10))
        yield row(f"{name} as decimal(20,0)", applies, decimals(20))
        yield row(f"{name} as decimal(38,0)", applies, decimals(38))
        yield row(f"{name} as text", applies, lambda a: a.cast(pa.string()), "named", ("part-2-a.parquet", "expected"))
    yield row("ids beyond 32 bits", number_id, lambda a: pc.add(a.cast(pa.uint64()), pa.scalar(1 << 40, pa.uint64())), "named",
              ("a value does not fit uint32",))
    yield row("int64 as decimal(19,0)", i64, decimals(19))
    yield row("int64 as decimal(20,0)", i64, decimals(20))
    yield row("int64 as decimal256(40,0)", i64, decimals(40))
    yield row("int64 as decimal(22,2)", i64, lambda a: a.cast(pa.decimal128(22, 2)), "named", ("part-2-a.parquet", "expected int64"))
    yield row("uint64 as decimal(20,0)", u64, decimals(20))
    yield row("uint64 as decimal(20,0) in dictionaries off", u64, decimals(20), use_dictionary=False)
    yield row("uint64 as int64", u64, lambda a: fitting(a, pa.int64()))
    yield row("uint64 as float64", u64, lambda a: fitting(a, pa.float64()))
    yield row("float64 as float32", is_double, to_float, "notice", ("numbers of 32 bits",),
              meaning=lambda t, p, r: retype(r, is_double, lambda a: to_float(a).cast(a.type)) if p == PART else r)
    yield row("float64 as float16", of(pa.float64()), lambda a: a.cast(pa.float16(), safe=False), "named", ("expected double",))
    yield row("float64 as decimal(38,9)", of(pa.float64()), lambda a: pa.array([None if v is None else 1 for v in a.to_pylist()], pa.decimal128(38, 9)),
              "named", ("expected double",))
    for kind in (pa.large_string(), pa.string_view()):
        yield row(f"text as {kind}", is_text, lambda a, kind=kind: a.cast(kind))
    yield row("text as binary", is_text, lambda a: a.cast(pa.binary()))
    for index in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()):
        def change(table, rows, index=index):
            try:
                return in_dictionaries(table, rows, index)
            except pa.ArrowInvalid:
                return rows
        yield Row("types", f"dictionaries with {index} indices", "identical", writing(change))
    for kind in (pa.large_binary(), pa.binary_view()):
        yield row(f"bytes as {kind}", is_bytes, lambda a, kind=kind: a.cast(kind))
    yield row("bytes as text", is_bytes, hexadecimal, "named", ("expected binary",))
    yield row("bytes as fixed_size_binary(3)", is_bytes,
              lambda a: pa.array([None if v is None else b"abc" for v in a.to_pylist()], pa.binary(3)), "named", ("expected binary",))
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view()):
        yield row(f"trace and span ids as {kind}", is_fixed, lambda a, kind=kind: a.cast(pa.binary()).cast(kind))
    yield row("trace ids as UUID", is_fixed, as_uuid)
    yield row("trace and span ids as hexadecimal text", is_fixed, hexadecimal)
    yield row("trace and span ids as fixed_size_binary(4)", is_fixed,
              lambda a: pa.array([None if v is None else v[:4] for v in a.to_pylist()], pa.binary(4)), "named", ("expected fixed_size_binary",))
    yield row("truth as int8", is_truth, lambda a: a.cast(pa.int8()), "named", ("expected bool",))
    for zone in (None, "UTC"):
        yield row(f"times as timestamp(ns, {zone})", is_time, time_cast("ns", zone))
        for unit in ("us", "ms", "s"):
            yield row(f"times as timestamp({unit}, {zone})", is_time, time_cast(unit, zone), "notice",
                      ("times coarser than nanoseconds",), meaning=coarser(is_time, unit))
    yield row("times as int96", is_time, lambda a: a, use_deprecated_int96_timestamps=True)
    yield row("times as int64", is_time, lambda a: a.cast(pa.int64()))
    yield row("times as uint64", is_time, lambda a: a.cast(pa.int64()).cast(pa.uint64()))
    yield row("times as decimal(20,0)", is_time, lambda a: a.cast(pa.int64()).cast(pa.decimal128(20, 0)))
    yield row("times as float64", is_time, lambda a: a.cast(pa.int64()).cast(pa.float64(), safe=False), "named", ("expected timestamp",))
    yield row("times as date32", is_time, lambda a: a.cast(pa.date32(), safe=False), "named", ("expected timestamp",))
    yield row("times as text", is_time, lambda a: a.cast(pa.string()), "named", ("expected timestamp",))
    yield Row("types", "times as timestamp(us) with __unix_nanos beside", "identical",
              writing(lambda table, rows: companion(table, rows)))
    yield row("durations as int64", is_duration, lambda a: a.cast(pa.int64()))
    yield row("durations as uint64", is_duration, lambda a: a.cast(pa.int64()).cast(pa.uint64(), safe=False))
    yield row("durations as decimal(20,0)", is_duration, lambda a: a.cast(pa.int64()).cast(pa.decimal128(20, 0)))
    yield row("durations as duration(us), stored Arrow schema", is_duration, lambda a: a.cast(pa.duration("us"), safe=False), "notice",
              ("times coarser than nanoseconds",), meaning=coarser(is_duration, "us"))
    yield row("durations as text", is_duration, lambda a: a.cast(pa.int64()).cast(pa.string()), "named", ("expected duration",))
    yield row("durations as float64", is_duration, lambda a: a.cast(pa.int64()).cast(pa.float64(), safe=False), "named", ("expected duration",))
    for name, kind in (("large_list", pa.large_list), ("list_view", pa.list_view), ("large_list_view", pa.large_list_view)):
        yield row(f"lists as {name}", lambda p, f: is_number_list(p, f) or is_real_list(p, f),
                  lambda a, kind=kind: pa.array(a.to_pylist(), kind(a.type.value_type)))
    yield row("lists with required items", lambda p, f: is_number_list(p, f) or is_real_list(p, f),
              lambda a: a.cast(pa.list_(pa.field("item", a.type.value_type, False))))
    yield row("lists with items named element", is_list, lambda a: a, use_compliant_nested_type=True)
    yield row("lists with items named item", is_list, lambda a: a, use_compliant_nested_type=False)
    for kind in (pa.int64(), pa.uint32(), pa.int32(), pa.decimal128(20, 0)):
        wanted = "identical"
        yield row(f"lists of uint64 as list<{kind}>", is_number_list, lambda a, kind=kind: fitting(a, pa.list_(kind)), wanted)
    yield row("lists of uint64 as list<float64>", is_number_list, items_as(pa.float64()), "named", ("part-2-a.parquet", "expected list"))
    yield row("lists of float64 as list<float32>", is_real_list, to_float, "notice", ("numbers of 32 bits",),
              meaning=lambda t, p, r: retype(r, is_real_list, lambda a: to_float(a).cast(a.type)) if p == PART else r)
    yield row("lists as text", is_list, lambda a: pa.array([None if v is None else str(v) for v in a.to_pylist()]), "named", ("expected list",))
    yield Row("types", "columns without values of type null", "identical",
              writing(lambda table, rows: on_columns(rows, lambda p, f, a: (pa.field(f.name, pa.null()), pa.nulls(len(a)))
                                                     if a.null_count == len(a) else (f, a))))
    yield Row("types", "names in capitals", "named",
              writing(lambda table, rows: rows.rename_columns([n.upper() for n in rows.column_names])), names=("part-2-a.parquet",))
    yield Row("types", "without a stored Arrow schema", "identical",
              without_schema)
    yield Row("types", "as Spark: signed, int96, decimal(20,0), no fixed sizes", "identical",
              writing(as_spark, use_deprecated_int96_timestamps=True))
    yield Row("types", "as the Delta writer: signed, microseconds with companions, decimal(20,0)", "identical",
              writing(as_delta))


def fitting(array, kind):
    """As another type where all values fit, else as they are."""
    try:
        return array.cast(kind)
    except pa.ArrowInvalid:
        return array


def without_schema(table, part, rows, path):
    """The keys of the file are written apart: the Arrow schema goes with those of the table."""
    with pq.ParquetWriter(path, rows.schema.remove_metadata(), store_schema=False) as writer:
        writer.write_table(rows.replace_schema_metadata(None))
        writer.add_key_value_metadata(KEYS)


def as_spark(table, rows):
    rows = retype(rows, any_integer, lambda a: a.cast(pa.decimal128(20, 0)) if pa.types.is_uint64(a.type)
                  else a.cast(pa.int32()) if a.type.bit_width < 32 or pa.types.is_int32(a.type)
                  else a.cast(pa.int64()))
    rows = retype(rows, is_duration, lambda a: a.cast(pa.int64()))
    rows = retype(rows, is_number_list, items_as(pa.decimal128(20, 0)))
    return retype(rows, is_fixed, lambda a: a.cast(pa.binary()))


def as_delta(table, rows):
    return companion(table, as_spark(table, rows))


# --- codecs, encodings, pages -------------------------------------------------------------------------------------

ENCODINGS = {
    "PLAIN": lambda t: True,
    "RLE": pa.types.is_boolean,
    "DELTA_BINARY_PACKED": lambda t: pa.types.is_integer(t) or pa.types.is_timestamp(t) or pa.types.is_duration(t),
    "DELTA_LENGTH_BYTE_ARRAY": lambda t: pa.types.is_string(t) or pa.types.is_binary(t),
    "DELTA_BYTE_ARRAY": lambda t: pa.types.is_string(t) or pa.types.is_binary(t) or pa.types.is_fixed_size_binary(t),
    "BYTE_STREAM_SPLIT": lambda t: pa.types.is_integer(t) and t.bit_width >= 32 or pa.types.is_floating(t)
    or pa.types.is_fixed_size_binary(t) or pa.types.is_timestamp(t) or pa.types.is_duration(t)}


def leaf_paths(schema, applies):
    """Paths of the Parquet columns of a schema whose type `applies` to."""
    def walk(path, kind):
        if pa.types.is_struct(kind):
            for field in kind:
                yield from walk(f"{path}.{field.name}", field.type)
        elif pa.types.is_list(kind):
            yield from walk(f"{path}.list.element", kind.value_type)
        elif applies(kind):
            yield path
    for field in schema:
        yield from walk(field.name, field.type)


def pages(Row, Unwritable):
    for codec in ("none", "snappy", "gzip", "brotli", "lz4", "zstd"):
        for version in ("1.0", "2.0"):
            label = "lz4_raw" if codec == "lz4" else codec
            yield Row("codecs", f"{label}, pages v{version[0]}, with checksums", "identical",
                      writing(whole, None, compression=codec, data_page_version=version, write_page_checksum=True))
    if arro3 is not None:
        yield Row("codecs", "lz4 of Hadoop, by parquet-rs", "identical", by_parquet_rs(compression="lz4"))
    yield Row("codecs", "a codec that is not there (LZO)", "named", with_codec(3),
              names=("column severity_text: found codec lzo", "part-2-a.parquet"))
    for version in ("1.0", "2.0"):
        for name, applies in ENCODINGS.items():
            def write(table, part, rows, path, name=name, applies=applies, version=version):
                encoding = {column: name for column in leaf_paths(rows.schema, applies)}
                pq.write_table(rows, path, use_dictionary=False, column_encoding=encoding or None,
                               data_page_version=version)
            yield Row("encodings", f"{name}, pages v{version[0]}", "identical", write)
        yield Row("encodings", f"RLE_DICTIONARY, pages v{version[0]}", "identical",
                  writing(whole, None, data_page_version=version))
        yield Row("encodings", f"dictionaries that overflow, small pages v{version[0]}", "identical",
                  writing(whole, None, data_page_version=version, dictionary_pagesize_limit=64, data_page_size=256,
                          write_batch_size=8, row_group_size=20, write_page_index=True))
    yield Row("encodings", "PLAIN_DICTIONARY, format 1.0", "notice",
              writing(lambda t, r: retype(r, lambda p, f: is_time(p, f), time_cast("us")), version="1.0",
                      ), names=("times coarser",), meaning=coarser(is_time, "us"))


def with_codec(number):
    """A column of one file claims a codec: in its metadata it stands behind the path, as a zigzag number."""
    def write(table, part, rows, path):
        pq.write_table(rows, path, compression="snappy")
        if table == "logs" and part == PART:
            data, claim = path.read_bytes(), b"severity_text\x15%c\x16"
            assert data.count(claim % 2) == 1
            path.write_bytes(data.replace(claim % 2, claim % (2 * number)))
    return write


# --- damage ------------------------------------------------------------------------------------------------------

def flipped(target, column, place, **options):
    """Files with checksums; one byte of one page of one column of a table's file is another."""
    def write(table, part, rows, path):
        pq.write_table(rows, path, write_page_checksum=True, **options)
        if table != target or part != PART:
            return
        metadata = pq.ParquetFile(path).metadata
        group = metadata.row_group(metadata.num_row_groups - 1)
        chunk = next(group.column(i) for i in range(group.num_columns) if group.column(i).path_in_schema == column)
        start = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
        end = chunk.data_page_offset if place == "dictionary" else start + chunk.total_compressed_size
        data = bytearray(path.read_bytes())
        data[end - 1] ^= 0x10
        path.write_bytes(bytes(data))
    return write


def damage(Row, Unwritable):
    for version in ("1.0", "2.0"):
        for codec in ("none", "zstd"):
            for table, column, place in (("logs", "body.str", "data"), ("logs", "severity_text", "dictionary"),
                                         ("logs", "time_unix_nano", "data"), ("log_attrs", "key", "dictionary"),
                                         ("log_attrs", "int", "data"), ("log_attrs", "parent_id", "data"),
                                         ("spans", "name", "data"), ("number_data_points", "double_value", "data"),
                                         ("histogram_data_points", "bucket_counts.list.element", "data")):
                options = {"compression": codec, "data_page_version": version,
                           "use_dictionary": [column] if place == "dictionary" else False}
                yield Row("a byte turned", f"{place} page v{version[0]} of {table}.{column}, {codec}", "named",
                          flipped(table, column, place, **options), names=("part-2-a.parquet",))
    yield Row("a byte turned", "second row group of three of logs.body.str", "named",
              flipped("logs", "body.str", "data", row_group_size=25, use_dictionary=False), names=("part-2-a.parquet", "row_group=2"))


# --- encryption --------------------------------------------------------------------------------------------------

def encrypted(Row, Unwritable):
    try:
        import pyarrow.parquet.encryption as encryption
    except ImportError:
        return

    class Keys(encryption.KmsClient):
        """Wraps keys in nothing: only files that are encrypted are wanted."""

        def wrap_key(self, key_bytes, master_key_identifier):
            return base64.b64encode(key_bytes)

        def unwrap_key(self, wrapped_key, master_key_identifier):
            return base64.b64decode(wrapped_key)

    factory = encryption.CryptoFactory(lambda configuration: Keys())

    def write_encrypted(target, extra=False, **options):
        def write(table, part, rows, path):
            if table != target or part != PART:
                pq.write_table(rows, path)
                return
            if extra:
                rows = unknown_column(table, rows)
            properties = factory.file_encryption_properties(
                encryption.KmsConnectionConfig(),
                encryption.EncryptionConfiguration(footer_key="footer", cache_lifetime=datetime.timedelta(minutes=5), **options))
            pq.write_table(rows, path, encryption_properties=properties)
        return write

    for table, column in (("logs", "body.str"), ("log_attrs", "key"), ("histogram_data_points", "bucket_counts.list.element")):
        unit = ("part-2-a.parquet", "encrypted")
        yield Row("encrypted", f"{table}: the whole file", "named", write_encrypted(table, uniform_encryption=True), names=unit)
        yield Row("encrypted", f"{table}: the footer and {column}", "named",
                  write_encrypted(table, column_keys={"column": [column]}), names=unit)
        yield Row("encrypted", f"{table}: {column}, the footer plain", "named",
                  write_encrypted(table, column_keys={"column": [column]}, plaintext_footer=True), names=(*unit, column.split(".")[0]))
    yield Row("encrypted", "logs: a column that is not of the model, the footer plain", "notice",
              write_encrypted("logs", True, column_keys={"column": ["vendor_note"]}, plaintext_footer=True), names=("vendor_note",))


# --- writers -----------------------------------------------------------------------------------------------------

def keys_of(rows):
    return {key.decode(): value.decode() for key, value in (rows.schema.metadata or {}).items() if key.startswith(b"otap.")}


def by_parquet_rs(only_part=None, change=whole, **options):
    def write(table, part, rows, path):
        if only_part is None or part == only_part:
            arro3.io.write_parquet(change(table, rows), path, key_value_metadata=keys_of(rows), **options)
        else:
            pq.write_table(rows, path)
    return write


def without_durations(table, rows):
    """Intervals of DuckDB and polars are no durations of a known unit in Parquet."""
    return retype(rows, is_duration, lambda a: a.cast(pa.int64()))


def by_duckdb(only_part=None, **options):
    def write(table, part, rows, path):
        if only_part is not None and part != only_part:
            pq.write_table(rows, path)
            return
        with duckdb.connect() as connection:
            connection.register("rewritten", without_durations(table, rows))
            keys = ", ".join(f"'{key}': '{value}'" for key, value in keys_of(rows).items())
            more = "".join(f", {key} '{value}'" for key, value in options.items())
            connection.execute(f"COPY (SELECT * FROM rewritten) TO '{path}' (FORMAT parquet, KV_METADATA {{{keys}}}{more})")
    return write


def by_polars(only_part=None, **options):
    def write(table, part, rows, path):
        if only_part is not None and part != only_part:
            pq.write_table(rows, path)
            return
        polars.from_arrow(rows).write_parquet(path, metadata=keys_of(rows), **options)
    return write


def by_fastparquet(only_part=None, **options):
    """It has no structs and no lists of structs: tables with them stay as they are."""
    def write(table, part, rows, path):
        flat = not any(pa.types.is_nested(f.type) for f in rows.schema) and "trace_id" not in rows.column_names
        if not flat or (only_part is not None and part != only_part):
            pq.write_table(rows, path)
            return
        frame = rows.to_pandas(types_mapper={pa.uint8(): pandas().UInt8Dtype(), pa.uint32(): pandas().UInt32Dtype(), pa.int64(): pandas().Int64Dtype(),
                                             pa.bool_(): pandas().BooleanDtype(), pa.int32(): pandas().Int32Dtype()}.get)
        kinds = {f.name: "bytes" if pa.types.is_binary(f.type) else "utf8" for f in rows.schema
                 if pa.types.is_binary(f.type) or pa.types.is_string(f.type)}
        fastparquet.write(str(path), frame, object_encoding=kinds, custom_metadata=dict(KEYS), write_index=False, **options)
    return write


def pandas():
    import pandas as module
    return module


def writers(Row, Unwritable):
    for only_part, where in ((None, "all files"), (PART, "one file among others")):
        yield Row("writers", f"pyarrow, {where}", "identical", writing(whole, only_part))
        yield Row("writers", f"pyarrow, flavour spark, {where}", "identical",
                  writing(whole, only_part, flavor="spark", store_schema=True))
        if duckdb is not None:
            for version in ("V1", "V2"):
                yield Row("writers", f"DuckDB, Parquet {version}, {where}", "identical",
                          by_duckdb(only_part, PARQUET_VERSION=version))
        if polars is not None:
            yield Row("writers", f"polars, {where}", "identical", by_polars(only_part))
        if fastparquet is not None:
            yield Row("writers", f"fastparquet, flat tables, {where}", "identical", by_fastparquet(only_part))
        if arro3 is not None:
            for version in ("parquet_1_0", "parquet_2_0"):
                yield Row("writers", f"parquet-rs, {version}, {where}", "identical",
                          by_parquet_rs(only_part, writer_version=version))
    if duckdb is not None:
        for codec in ("uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4_raw"):
            yield Row("writers", f"DuckDB, {codec}", "identical", by_duckdb(None, CODEC=codec))
    if polars is not None:
        for codec in ("uncompressed", "snappy", "gzip", "zstd", "brotli", "lz4"):
            yield Row("writers", f"polars, {codec}", "identical", by_polars(None, compression=codec))
    if fastparquet is not None:
        for codec in ("UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "BROTLI", "LZ4", "LZ4_RAW"):
            yield Row("writers", f"fastparquet, {codec}", "identical", by_fastparquet(None, compression=codec))
    if arro3 is not None:
        for codec in ("uncompressed", "snappy", "gzip(6)", "zstd(3)", "brotli(5)", "lz4_raw"):
            yield Row("writers", f"parquet-rs, {codec}", "identical", by_parquet_rs(compression=codec))
