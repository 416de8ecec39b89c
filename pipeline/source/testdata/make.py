"""Remakes the golden files of package source: what pandas and pyarrow have for the same bytes.

    /opt/py/bin/python pipeline/source/testdata/make.py

Where Jarvis means to differ from pandas (leading zeros, integers beyond 2**53, booleans and texts of blanks) the
columns are read with dtype=str, so that the golden file holds the text.
"""
import datetime, decimal, json, math, pathlib, uuid
import pandas as pd, pyarrow as pa, pyarrow.parquet as pq

here = pathlib.Path(__file__).parent
nasty = (
    'id,code,big,price,share,flag,note,day,sparse,exp,signed,mixed\r\n'
    '1,007,9007199254740993,12.50,0.1,true,"a ""quoted"" word",2024-01-31,,1e-7,+5,1\r\n'
    '2,012,1,NA,0.30000000000000004,false,"line\r\nbreak",1999-12-01,N/A,2.5E+10,-0,x\r\n'
    '\r\n'
    '3,100,2,1e3,1.7976931348623157e308,true,"semi;colon",,null,.5,-3.,2\r\n'
    '4,000,3,-0.0,5e-324,false,naïve,2024-02-29,NaN,5.,inf,"NA"\r\n'
    '5,1,4,"7.25",2.2250738585072011e-308,true,"",2000-01-01,#N/A,123456789012345678.9,-Infinity,None\r\n'
)
(here / 'nasty.csv').write_bytes(nasty.encode())
d = pd.read_csv(here / 'nasty.csv', float_precision='round_trip', dtype={c: str for c in ['code', 'big', 'flag']})


def cell(v):
    if isinstance(v, str):
        return v
    if pd.isna(v):
        return None
    return {'number': repr(float(v))}


golden = {c: [cell(v) for v in d[c]] for c in d.columns}
(here / 'nasty.json').write_text(json.dumps(golden, indent=1, ensure_ascii=False) + '\n')

t = pa.table({
    'i8': pa.array([1, None, -128], pa.int8()), 'u32': pa.array([4294967295, 0, None], pa.uint32()),
    'i64': pa.array([1, 2, None], pa.int64()), 'wide': pa.array([9007199254740993, -1, None], pa.int64()),
    'f16': pa.array([1.5, -2.0, None], pa.float16()), 'f32': pa.array([0.1, None, 3], pa.float32()),
    'f64': pa.array([0.1, math.inf, None], pa.float64()), 'ok': pa.array([True, False, None]),
    'text': pa.array(['a', '', 'é']), 'cat': pa.array(['x', 'y', None]).dictionary_encode(),
    'day': pa.array([datetime.date(2024, 2, 29), datetime.date(1969, 12, 31), None]),
    'ms': pa.array([datetime.datetime(2024, 1, 2, 3, 4, 5, 678000), datetime.datetime(1950, 1, 1), None], pa.timestamp('ms')),
    'utc': pa.array([datetime.datetime(2024, 1, 2, 3, 4, 5), None, None], pa.timestamp('us', tz='UTC')),
    'ns': pa.array([1, None, None], pa.timestamp('ns')), 'time': pa.array([datetime.time(1, 2, 3), None, None], pa.time64('us')),
    'money': pa.array([decimal.Decimal('12.34'), decimal.Decimal('-0.05'), None], pa.decimal128(20, 2)),
    'group': pa.array([{'a': 1, 'b': {'c': 'deep'}}, {'a': None, 'b': None}, None], pa.struct([('a', pa.int32()), ('b', pa.struct([('c', pa.string())]))])),
})
pq.write_table(t, here / 'types.parquet')
pq.write_table(pa.table({
    'n': [1, 2, 3, 4, 5],
    'f': pa.array([[0.1, 2], [], None, [None, -3e10], [math.nan]], pa.list_(pa.float32())),
    'i': pa.array([[1], [2, 3], [4], [], [2**40]], pa.list_(pa.int64())),
    'nested': pa.array([[[1, 2], [3, 4]], [], None, [[], None, [5]], [[6]]], pa.list_(pa.list_(pa.int16()))),
    'fixed': pa.array([[1, 2], [3, 4], None, [5, 6], [7, 8]], pa.list_(pa.float64(), 2)),
    'in': pa.array([{'x': [1.5]}, {'x': None}, None, {'x': []}, {'x': [2, 3]}], pa.struct([('x', pa.list_(pa.float64()))])),
    'bytes': pa.array([b'\x89PNG\r\n\x1a\n\xff', b'text', None, b'', b'\xff\xd8\xff\xe0'], pa.binary()),
}), here / 'lists.parquet', row_group_size=3, data_page_size=8)
pq.write_table(pa.table({'a': [1, 2], 'tags': [['x'], ['y', 'z']], 'pairs': pa.array([[('k', 1)], []], pa.map_(pa.string(), pa.int32()))}), here / 'list.parquet')
