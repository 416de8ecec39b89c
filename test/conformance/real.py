"""Records models that people use, on sound, pictures and text: real.py CASES NPM, where NPM holds the unpacked npm packages."""

import glob
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import wave

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from recorder import record, session

ROOT, NPM = sys.argv[1:3]


def speech(rate=16000):
    """A spoken sentence, float32 in [-1, 1]: by espeak-ng where it is installed, else vowels from a pulse train and formants."""
    if shutil.which("espeak-ng"):
        with tempfile.NamedTemporaryFile(suffix=".wav") as f:
            subprocess.run(["espeak-ng", "-w", f.name, "Hey Jarvis, what will the weather be like in Ljubljana tomorrow?"], check=True)
            with wave.open(f.name) as w:
                x = np.frombuffer(w.readframes(w.getnframes()), np.int16).astype(np.float32) / 32768
                at = np.arange(0, len(x) - 1, w.getframerate() / rate)
                return np.interp(at, np.arange(len(x)), x).astype(np.float32)
    t = np.arange(4 * rate) / rate
    x = np.zeros_like(t)
    for k, (f1, f2) in enumerate([(730, 1090), (270, 2290), (300, 870), (530, 1840)]):
        part = (t >= k) & (t < k + 0.8)
        for h in range(1, 30):
            f = 120 * h
            x += part * np.sin(2 * np.pi * f * t) * (np.exp(-((f - f1) / 90) ** 2) + 0.6 * np.exp(-((f - f2) / 110) ** 2))
    return (0.4 * x / np.abs(x).max()).astype(np.float32)


def page(width, height, lines, size):
    """A picture (1, 3, height, width) of printed lines, normalised as PaddleOCR does."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=size)
    for i, line in enumerate(lines):
        draw.text((size // 2, (1.6 * i + 0.2) * size), line, fill="black", font=font)
    x = np.asarray(image, np.float32) / 255
    return np.ascontiguousarray(((x - 0.5) / 0.5).transpose(2, 0, 1)[None])


def vad(name, path, audio):
    run = session(path)
    shapes = {p.name: p for p in run.get_inputs()}
    frame = {"silero_vad_legacy": 1536}.get(os.path.basename(path)[:-5], 512)
    if "h" in shapes:
        frame = 1536
    context = np.zeros((1, 64), np.float32)
    feeds, state = [], None
    for i in range(6):
        x = audio[(i + 4) * frame : (i + 5) * frame][None]
        feed = {}
        for n, p in shapes.items():
            dims = [d if isinstance(d, int) else 1 for d in p.shape]
            if n in ("input", "x"):
                wide = dims[-1] if len(dims) > 1 and dims[-1] > 1 else frame
                feed[n] = x if "h" in shapes else np.concatenate([context, x], 1)[:, -max(wide, frame + 64 * (wide == frame)) :]
                if wide not in (1, frame) and feed[n].shape[1] != wide:
                    feed[n] = audio[i * wide : (i + 1) * wide][None]
            elif n == "sr":
                feed[n] = np.array(16000, np.int64)
            else:
                dims = [2 if i == 0 else d for i, d in enumerate(dims)]
                feed[n] = state[n] if state else np.zeros(dims, np.float32)
        context = x[:, -64:]
        out = dict(zip([p.name for p in run.get_outputs()], run.run(None, feed)))
        pairs = {"h": "hn", "c": "cn", "state": "stateN"}
        state = {n: out.get(pairs.get(n, n), out.get("state_out", feed[n])) for n in shapes if n not in ("input", "x", "sr")}
        feeds.append(feed)
    record(ROOT, name, path, feeds)


def package(name):
    spec = importlib.util.find_spec(name)
    return os.path.dirname(spec.origin) if spec and spec.origin else None


def words(folder, audio):
    mel = os.path.join(folder, "melspectrogram.onnx")
    sound = (audio[: 16000 * 2] * 32767)[None]
    spectrum = record(ROOT, "openwakeword_melspectrogram", mel, [{session(mel).get_inputs()[0].name: sound}])[0]
    bands = (np.squeeze(next(iter(spectrum.values()))) / 10 + 2).astype(np.float32)
    embed = os.path.join(folder, "embedding_model.onnx")
    windows = [bands[i : i + 76][None, :, :, None] for i in range(0, len(bands) - 76, 8)]
    name = session(embed).get_inputs()[0].name
    vectors = [next(iter(a.values())).reshape(-1) for a in record(ROOT, "openwakeword_embedding", embed, [{name: w} for w in windows[:4]])]
    run = session(embed)
    vectors = np.stack([run.run(None, {name: w})[0].reshape(-1) for w in windows])
    for path in sorted(glob.glob(os.path.join(folder, "*_v0.1.onnx"))):
        port = session(path).get_inputs()[0]
        n = port.shape[1]
        x = np.resize(vectors, (n, 96))[None].astype(np.float32)
        record(ROOT, "openwakeword_" + os.path.basename(path)[:-5], path, [{port.name: x}])


def ocr(prefix, folder):
    for kind, shape in [("det", (640, 640)), ("rec", (320, 48)), ("cls", (192, 48))]:
        for path in glob.glob(os.path.join(folder, f"*{kind}*.onnx")):
            width, height = shape
            lines = ["Jarvis serves one file", "train  predict  watch", "Total  1,234.56 EUR"] if kind == "det" else ["Total 1234"]
            x = page(width, height, lines, 44 if kind == "det" else 36)
            record(ROOT, f"{prefix}_{kind}", path, [{session(path).get_inputs()[0].name: x}])


def magika(folder):
    path = sorted(glob.glob(os.path.join(folder, "models", "standard*", "model.onnx")))[-1]
    port = session(path).get_inputs()[0]
    width = port.shape[1] if isinstance(port.shape[1], int) else 2048
    feeds = []
    for content in [open(__file__, "rb").read(), open(path, "rb").read(4096)]:
        x = np.full((1, width), 256, np.int32)
        half = width // 2
        x[0, : min(half, len(content))] = list(content[:half])
        x[0, -min(half, len(content)) :] = list(content[-half:])
        feeds.append({port.name: x})
    record(ROOT, "magika_" + os.path.basename(os.path.dirname(path)), path, feeds)


def main():
    audio = speech()
    for path in sorted(glob.glob(os.path.join(NPM, "**", "silero*.onnx"), recursive=True)):
        owner = os.path.relpath(path, NPM).split(os.sep)[0]
        vad(f"{owner}_{os.path.basename(path)[:-5]}", path, audio)
    words(os.path.dirname(glob.glob(os.path.join(NPM, "**", "melspectrogram.onnx"), recursive=True)[0]), audio)
    ocr("ppocr_gutenye", os.path.dirname(glob.glob(os.path.join(NPM, "**", "ch_PP-OCRv4_det_infer.onnx"), recursive=True)[0]))
    for name, make in [("rapidocr_onnxruntime", lambda d: ocr("ppocr_rapidocr", os.path.join(d, "models"))), ("magika", magika)]:
        folder = package(name)
        if folder is None:
            print(f"{name} is not installed: its models are left out", file=sys.stderr)
            continue
        make(folder)


main()
