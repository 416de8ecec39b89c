"""Makes testdata/digits/digits.parquet (scikit-learn's digits, 8×8 pictures as PNG files) and testdata/reviews/reviews.csv (sentences of vaderSentiment's sdist).

    make_nets_data.py vaderSentiment-3.3.2.tar.gz
"""

import csv
import pathlib
import sys
import tempfile

import pyarrow
import pyarrow.parquet
import sklearn.datasets

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here.parent / "quality"))
import sets  # noqa: E402

data = here.parent.parent / "testdata"
digits = sklearn.datasets.load_digits()
pixels = (digits.data * 15.9375).round().astype("uint8")
table = pyarrow.table({
    "image": pyarrow.array([sets.png(row.tobytes(), 8) for row in pixels], pyarrow.binary()),
    "digit": pyarrow.array([f"digit {d}" for d in digits.target]),
})
(data / "digits").mkdir(exist_ok=True)
pyarrow.parquet.write_table(table, data / "digits" / "digits.parquet", compression="zstd", use_dictionary=["digit"])

tmp = pathlib.Path(tempfile.mkdtemp())
sets.reviews(sys.argv[1], tmp)
rows = sets.read(tmp / "train.jsonl")[:2000]
(data / "reviews").mkdir(exist_ok=True)
with open(data / "reviews" / "reviews.csv", "w", newline="") as f:
    out = csv.DictWriter(f, ["text", "label"], lineterminator="\n")
    out.writeheader()
    out.writerows(rows)
