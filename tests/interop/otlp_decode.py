#!/usr/bin/env python3
"""Compares our OTLP decoder with the official Python protobuf package (upb) on generated and on damaged requests.

Usage: otlp_decode.py RECODE TOOLS [--seeds N] [--damaged N]
RECODE is the program otlp_recode; TOOLS the directory that has otlp_generate.py and otlp_compare.py.
Both have to refuse the same requests, and to read the same items out of the others. Known and allowed differences: ids of
a wrong length count as none; the ids of spans and links are required columns, so that none is all zeros there; entity_refs
have no column in the model and are skipped.
"""
import argparse, random, struct, subprocess, sys, tempfile

from google.protobuf import message
from google.protobuf.internal import api_implementation

SIGNALS = ("logs", "traces", "metrics")
PROFILES = ("steady", "plain", "corner", "wide", "many_resources")
ID_SIZES = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}


def normalise(node):
    """Drops unknown fields and what is allowed to differ, in place."""
    if node.DESCRIPTOR.name == "Resource" and "entity_refs" in node.DESCRIPTOR.fields_by_name:
        node.ClearField("entity_refs")
    for field, value in node.ListFields():
        if field.name in ID_SIZES:
            is_required = node.DESCRIPTOR.name in ("Span", "Link", "Exemplar") and field.name != "parent_span_id"
            if len(value) != ID_SIZES[field.name] or (is_required and not any(value)):
                node.ClearField(field.name)
        elif field.message_type is not None:
            for child in value if hasattr(value, "__len__") else [value]:
                normalise(child)


def damage(rng, data):
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        if not data:
            break
        at = rng.randrange(len(data))
        kind = rng.randrange(6)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.randrange(256)
        elif kind == 2:
            del data[at:at + rng.randint(1, 20)]
        elif kind == 3:
            data[at:at] = data[at:at + rng.randint(1, 20)]
        elif kind == 4:
            del data[at:]
        else:
            data[at] = 255
    return bytes(data)


def recode(program, signal, requests, *flags):
    with tempfile.NamedTemporaryFile() as file:
        for request in requests:
            file.write(struct.pack(">I", len(request)) + request)
        file.flush()
        out = subprocess.run([program, signal, file.name, *flags], check=True, stdout=subprocess.PIPE).stdout
    at = 0
    while at < len(out):
        (size,) = struct.unpack_from(">I", out, at)
        yield out[at + 4:at + 4 + size]
        at += 4 + size


def items_of(compare, signal, request):
    parsed = compare.SIG[signal][0].FromString(request)
    parsed.DiscardUnknownFields()
    normalise(parsed)
    return compare.items(signal, [parsed])


def check(compare, program, signal, requests, label, expected=None, flags=()):
    """Returns (read by both, refused by both, different)."""
    counts = [0, 0, 0]
    for number, (request, answer) in enumerate(zip(requests, recode(program, signal, requests, *flags), strict=True)):
        try:
            wanted = items_of(compare, signal, expected[number] if expected else request)
        except message.DecodeError:
            wanted = None
        if wanted is None or answer[:1] == b"E":
            is_equal = wanted is None and answer[:1] == b"E"
            counts[1] += is_equal
        else:
            is_equal = items_of(compare, signal, answer[1:]) == wanted
            counts[0] += is_equal
        if not is_equal:
            counts[2] += 1
            if counts[2] <= 3:
                print(f"DIFFERENT {signal} {label} request {number}: protobuf {'refuses' if wanted is None else 'reads'}, "
                      f"we say {answer[:200]!r}\n  {request.hex() if len(request) < 2000 else '...'}")
    print(f"{signal:8} {label:24} read by both {counts[0]:6}, refused by both {counts[1]:6}, different {counts[2]}", flush=True)
    return counts[2]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("recode")
    arguments.add_argument("tools")
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--damaged", type=int, default=2000, help="damaged requests for each signal")
    options = arguments.parse_args()
    sys.path.insert(0, options.tools)
    sys.argv = sys.argv[:1]  # the tools look at it
    import otlp_compare as compare
    import otlp_generate as generate

    print("protobuf implementation:", api_implementation.Type())
    different = 0
    for signal in SIGNALS:
        for profile in PROFILES:
            parsed = [r for seed in range(1, options.seeds + 1) for r in generate.corpus(signal, seed, 3, 60, profile)]
            requests = [r.SerializeToString() for r in parsed]
            different += check(compare, options.recode, signal, requests, profile)
        rng = random.Random(signal)
        small = [r.SerializeToString() for r in generate.corpus(signal, 77, 40, 2, "corner")]
        damaged = [damage(rng, rng.choice(small)) for _ in range(options.damaged)]
        different += check(compare, options.recode, signal, damaged, "damaged")
    return different != 0


if __name__ == "__main__":
    sys.exit(main())
