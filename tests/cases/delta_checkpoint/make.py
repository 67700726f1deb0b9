"""Makes the Delta tables beside it: logs of two partitions, whose first versions are in a checkpoint only.

Needs deltalake and pyarrow. single/ has the checkpoint as deltalake writes it, parts/ the same rows in two files.
"""
import pathlib
import shutil

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
shutil.rmtree(HERE / "single", ignore_errors=True)
shutil.rmtree(HERE / "parts", ignore_errors=True)
folder = HERE / "single" / "logs"
for part in ("a", "b b"):
    rows = pa.table({"id": pa.array([0, 1], pa.int64()), "_part_id": [part, part]})
    deltalake.write_deltalake(str(folder), rows, mode="append", partition_by=["_part_id"])
table = deltalake.DeltaTable(str(folder))
table.create_checkpoint()
rows = pa.table({"id": pa.array([2], pa.int64()), "_part_id": ["a"]})
deltalake.write_deltalake(str(folder), rows, mode="append")
for version in range(2):
    (folder / "_delta_log" / f"{version:020}.json").unlink()
shutil.copytree(HERE / "single", HERE / "parts")
log = HERE / "parts" / "logs" / "_delta_log"
whole = log / f"{1:020}.checkpoint.parquet"
actions = pq.read_table(whole)
for part in range(2):
    pq.write_table(actions.slice(part * 2, 2 if part == 0 else None), log / f"{1:020}.checkpoint.{part + 1:010}.{2:010}.parquet")
whole.unlink()
