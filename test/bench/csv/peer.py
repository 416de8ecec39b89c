"""Reads a CSV with pandas (engine c or pyarrow) and prints time and peak memory as one JSON object, as read/main.go does.

    python test/bench/csv/peer.py c|pyarrow FILE
"""
import json, resource, sys, time

import pandas as pd

if sys.argv[1] == 'pyarrow':
    import pyarrow.csv  # noqa: F401  importing is not what is measured

start = time.perf_counter()
table = pd.read_csv(sys.argv[2], engine=sys.argv[1])
seconds = time.perf_counter() - start
use = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({'reader': 'pandas-' + sys.argv[1], 'rows': len(table), 'columns': table.shape[1], 'seconds': seconds,
                  'cpu_seconds': use.ru_utime + use.ru_stime, 'peak_mb': use.ru_maxrss / 1024}))
