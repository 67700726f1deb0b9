"""Files of one partition that differ in schema, type, codec, encoding, page form and writer: identical or named.

Usage: schema_matrix.py --build DIR --work DIR [--only TEXT] [--table FILE]
Needs the packages of requirements.txt. Without one of the writers (duckdb, polars, fastparquet, arro3-io, which is
parquet-rs) its rows are left out, by name. The tree is made of examples/data/corner (schema_tree.py). Every row of the
matrix writes some of its files anew, replays all three signals and compares them item by item with the known answer:

  identical   every item came back, none is different, nothing is named
  notice      every item came back as the files mean it; a notice names what the writer has made coarser or has added
  named       a problem names the file and what is wrong with it; what is missing hangs on that file; no value is another

Exit code: 0 when every row is what it has to be, 1 otherwise.
"""
import argparse
import dataclasses
import pathlib
import re
import shutil
import subprocess
import sys
import typing

import pyarrow.parquet as pq

import reduced_items
import schema_rewrites
import schema_tree
from world import SIGNALS, Failure, World, read_requests

BEGIN, END = "<!-- schema matrix: begin -->", "<!-- schema matrix: end -->"
TREES_PER_RUN = 30


@dataclasses.dataclass
class Row:
    """A row of the matrix: how the files are written, and what has to come out."""
    section: str
    name: str
    wanted: str  # identical, notice or named
    write: typing.Callable  # (table name, part, rows, path): writes a file
    parts: int = schema_tree.PARTS
    meaning: typing.Callable | None = None  # (table name, part, rows): the rows as the file means them
    names: tuple = ()  # texts that what is said has to hold


class Matrix:
    def __init__(self, world):
        self.world = world
        self.folder = world.folder("schema")
        self.sample = schema_tree.take_sample(self.folder)
        self.own = schema_tree.write_own(world.engine_binary, self.folder, self.sample)
        self.cuts, self.answers, self.runs, self.least = {}, {}, 0, 0

    def cut(self, parts):
        if parts not in self.cuts:
            self.cuts[parts] = (schema_tree.files_of(self.sample) if parts == schema_tree.SAMPLED
                                else schema_tree.cut(self.own, parts))
        return self.cuts[parts]

    def lay_out(self, base, parts, write):
        for (table, partition), slices in self.cut(parts).items():
            for part, rows in enumerate(slices):
                path = base / schema_tree.file_of(table, partition, part)
                path.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(rows, pathlib.Path):
                    path.hardlink_to(rows)
                else:
                    write(table, part, rows, path)

    def replay(self, jobs):
        """jobs: (parts, write). Returns (folder of the answer, problems, notices) of each; an exception where the
        writer cannot write it."""
        self.runs += 1
        folder = self.folder / f"run-{self.runs}"
        results, pairs = [None] * len(jobs), {}
        for i, (parts, write) in enumerate(jobs):
            try:
                self.lay_out(folder / f"t{i}", parts, write)
            except Unwritable as error:
                results[i] = error
                continue
            out = folder / f"out{i}"
            pairs[i] = (schema_tree.receiver(folder / f"t{i}"),
                        f'{{type: "exporter:file", config: {{path: "{out}/{{signal}}.otlp", format: otlp_proto}}}}')
        path = folder / "run.yaml"
        folder.mkdir(exist_ok=True)
        path.write_text(schema_tree.document(pairs))
        said = schema_tree.run(self.world.engine_binary, path)[1] if pairs else ""
        parts, current = {}, None
        for line in said.splitlines():
            if found := re.search(r"\b(in|out)_(\d+)\b", line):
                current = int(found[2])
            if current is not None:
                parts.setdefault(current, []).append(line.strip())
        for i in pairs:
            lines = parts.get(i, [])
            results[i] = (folder / f"out{i}", [line for line in lines if is_problem(line)],
                          [line for line in lines if "notice:" in line], lines)
        return results

    def compare(self, expected, actual):
        """(items expected, equal, extra) over all signals."""
        sums = [0, 0, 0]
        for signal in SIGNALS:
            paths = []
            for folder in (expected, actual):
                path = folder / f"{signal}.otlp"
                if not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(b"")
                paths.append(str(path))
            done = subprocess.run([str(self.world.compare_binary), signal, *paths], capture_output=True, text=True)
            found = re.search(r"(\d+)/(\d+) items equal, (\d+) extra", done.stdout)
            if not found:
                raise Failure(f"{signal}: {done.stdout}{done.stderr}")
            for i, index in enumerate((2, 1, 3)):
                sums[i] += int(found[index])
        return sums

    def check_answer(self):
        """The tree as it is gives what was sent to the writer of the sample."""
        (out, problems, _, lines), (rest, _, _, _) = self.replay([(schema_tree.PARTS, plainly),
                                                                  (schema_tree.PARTS, all_but_one_part)])
        if problems:
            raise Failure("the tree as it is: " + "\n".join(lines))
        self.least = self.compare(out, rest)[1]
        for signal in SIGNALS:
            sent = self.folder / f"sent-{signal}.otlp"
            with sent.open("wb") as stream:
                for request in list(read_requests(schema_tree.SAMPLE.parent / f"{signal}.otlp"))[:schema_tree.BATCHES]:
                    stream.write(len(request).to_bytes(4, "big") + request)
            done = subprocess.run([str(self.world.compare_binary), signal, str(sent), str(out / f"{signal}.otlp"),
                                   "--upstream-losses"], capture_output=True, text=True)
            if done.returncode != 0:
                raise Failure(f"the tree as it is: {done.stdout}{done.stderr}")

    def run(self, rows):
        """Yields (row, what came out, whether it is right, what was said)."""
        for first in range(0, len(rows), TREES_PER_RUN):
            part = rows[first:first + TREES_PER_RUN]
            jobs = [(row.parts, row.write) for row in part]
            extra = {}
            for row in part:
                if row.parts not in self.answers or row.meaning is not None:
                    key = row.name if row.meaning is not None else row.parts
                    if key not in extra:
                        extra[key] = len(jobs)
                        jobs.append((row.parts, meant(row.meaning) if row.meaning is not None else plainly))
            results = self.replay(jobs)
            for key, index in extra.items():
                keep = self.folder / f"answer-{len(self.answers)}"
                shutil.move(results[index][0], keep)
                self.answers[key] = keep
            for row, result in zip(part, results):
                if isinstance(result, Unwritable):
                    yield row, f"not written: {result}", True, []
                    continue
                yield (row, *self.judge(row, *result))
            shutil.rmtree(self.folder / f"run-{self.runs}")

    def judge(self, row, out, problems, notices, lines):
        answer = self.answers[row.name if row.meaning is not None else row.parts]
        expected, equal, extra = self.compare(answer, out)
        said = problems + notices
        missing = [text for text in row.names if not any(text in line for line in said)]
        if extra:
            wrong = sum(reduced_items.differences(signal, answer / f"{signal}.otlp", out / f"{signal}.otlp")
                        for signal in SIGNALS)
            if wrong or not problems:
                return f"WRONG: {wrong} of {extra} items are different, {expected - equal} missing", False, said
        if equal < expected and not problems:
            return f"SILENT: {expected - equal} of {expected} items are missing", False, said
        if problems:
            what = f"named: {equal} of {expected} items" + (f", {extra} without what hung on them" if extra else "")
            if row.parts == schema_tree.PARTS and equal + extra < self.least:
                return f"TOO MUCH: {what}, {self.least} have nothing to do with the files", False, said
            return what, row.wanted == "named" and not missing, said
        what = "notice" if any("there is no file of" not in line for line in notices) else "identical"
        return what, what == row.wanted and not missing, said


class Unwritable(Exception):
    """The writer has no such form."""


def is_problem(line):
    return line.startswith(("not replayed", "dropped"))


def plainly(table, part, rows, path):
    pq.write_table(rows, path)


def all_but_one_part(table, part, rows, path):
    if part != schema_rewrites.PART or table in schema_tree.SHARED:
        plainly(table, part, rows, path)


def meant(meaning):
    def write(table, part, rows, path):
        plainly(table, part, schema_tree.plain(meaning(table, part, rows)), path)
    return write


def rows_of(world, only):
    sections = (schema_rewrites.drifts, schema_rewrites.upstream, schema_rewrites.types, schema_rewrites.pages, schema_rewrites.damage,
                schema_rewrites.encrypted, schema_rewrites.writers)
    rows = [row for section in sections for row in section(Row, Unwritable)]
    return [row for row in rows if only in f"{row.section}: {row.name}"]


def check(world, only="", table=None, is_verbose=False):
    """Returns lines of what was tried; raises with the rows that are wrong."""
    matrix = Matrix(world)
    matrix.check_answer()
    rows = rows_of(world, only)
    done, wrong, counts = [], [], {}
    for row, what, is_right, said in matrix.run(rows):
        done.append((row, what, is_right, said))
        word = re.split(r"[,:]", what)[0]
        counts[word] = counts.get(word, 0) + 1
        if not is_right:
            wrong.append(f"{row.section}: {row.name}: wanted {row.wanted}, got {what}")
        if is_verbose or not is_right:
            print(f"{'ok  ' if is_right else 'FAIL'} {row.section}: {row.name}: {what}"
                  + ("" if is_right else f" (wanted {row.wanted} {row.names})"), *said[:6], sep="\n       ", flush=True)
    shutil.rmtree(matrix.folder)
    if table is not None:
        write_table(table, done)
    if wrong:
        raise Failure(f"{len(wrong)} of {len(done)} rows are wrong:\n" + "\n".join(wrong))
    return [f"{len(done)} rows: " + ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))]


def write_table(path, done):
    """Puts the matrix between the marks of a document."""
    cells = {}
    for row, what, is_right, _ in done:
        word, _, detail = what.partition(":")
        cells.setdefault((row.section, word if is_right else "FAIL"), []).append(
            row.name + (f" ({detail.strip().removesuffix(' items')})" if detail else ""))
    lines = ["| | What comes back | Files |", "|---|---|---|"]
    lines += [f"| {section} | {word} | {'; '.join(names)} |" for (section, word), names in cells.items()]
    text = path.read_text()
    pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.S)
    path.write_text(pattern.sub(lambda _: "\n".join([BEGIN, "", *lines, "", END]), text))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--table", type=pathlib.Path)
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    try:
        world = World(options.build.resolve(), options.work.resolve())
        print(*check(world, options.only, options.table, is_verbose=True), sep="\n")
    except Failure as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
