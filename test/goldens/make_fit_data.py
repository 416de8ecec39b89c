"""Writes model/fit/fittest/testdata/*.csv: small real data sets as numbers, the target in the last column.

penguins: features prepared by hand (one-hot island and sex, medians for missing values), target species 0..2.
penguins_missing: the same with the missing values left empty. iris, breast_cancer (classes), diabetes (numbers) are
scikit-learn's copies of public data. Run from the root of the repository: python test/goldens/make_fit_data.py
"""
import pathlib

import numpy as np
import pandas as pd
from sklearn import datasets

OUT = pathlib.Path("model/fit/fittest/testdata")


def write(name, x, y):
    frame = pd.DataFrame(x).astype(np.float32)
    frame["target"] = np.asarray(y).astype(np.float32)
    frame.to_csv(OUT / f"{name}.csv", index=False, float_format="%.7g")


def penguins():
    raw = pd.read_csv("testdata/penguins/penguins.csv")
    target = raw.species.astype("category").cat.codes
    x = raw[["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "year"]].astype(float)
    for island in sorted(raw.island.unique()):
        x[f"island_{island}"] = (raw.island == island).astype(float)
    x["male"] = (raw.sex == "male").astype(float).where(raw.sex.notna())
    write("penguins_missing", x, target)
    write("penguins", x.fillna(x.median()), target)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    penguins()
    for name in ["iris", "breast_cancer", "diabetes"]:
        bunch = getattr(datasets, f"load_{name}")(as_frame=True)
        write(name, bunch.data, bunch.target)


main()
