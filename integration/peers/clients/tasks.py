"""The tasks of package report, for the Python workers: a line each on standard input."""

import json
import sys


def tell(**event):
    print(json.dumps(event), flush=True)


def keys_and_values(count):
    """Records as the tasks want them."""
    return [(f"k{i}".encode(), f"v{i}{'.' * 500}".encode()) for i in range(count)]


# HEADERS are those of the task headers.
HEADERS = [("a", b"1"), ("b", b"2")]


def tell_record(offset, timestamp, key, value, headers):
    tell(
        event="record", partition=0, offset=offset, timestamp=timestamp, key=key.decode(), value=value.decode(),
        headers=[f"{k}={v.decode()}" for k, v in headers or []])


def do_tasks(do):
    """Calls do with the words of each line; what it raises has failed."""
    tell(event="ready")
    for line in sys.stdin:
        try:
            do(*line.split())
        except Exception as e:
            tell(event="failed", why=repr(e))
            continue
        tell(event="done")
