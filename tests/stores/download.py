"""Downloads all objects of a prefix of bucket `lake` in ranges of 8 MiB, eight at a time, and prints bytes and seconds.

Usage: download.py PORT PREFIX, with keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
"""
import concurrent.futures
import sys
import time

import boto3
from botocore.config import Config

RANGE = 8 << 20


def main():
    port, prefix = sys.argv[1:]
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
                          config=Config(max_pool_connections=16))
    begin = time.monotonic()
    ranges = []
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="lake", Prefix=prefix + "/"):
        for entry in page.get("Contents", []):
            ranges += [(entry["Key"], at, min(at + RANGE, entry["Size"]) - 1) for at in range(0, entry["Size"], RANGE)]

    def fetch(item):
        key, first, last = item
        body = client.get_object(Bucket="lake", Key=key, Range=f"bytes={first}-{last}")["Body"]
        return sum(len(part) for part in body.iter_chunks(1 << 20))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        num_bytes = sum(pool.map(fetch, ranges))
    print(num_bytes, time.monotonic() - begin)


if __name__ == "__main__":
    main()
