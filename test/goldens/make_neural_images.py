"""Makes pipeline/neural/testdata/pillow.json: what Pillow makes of pictures, the square in the middle scaled with its bilinear filter.

    python test/goldens/make_neural_images.py
"""

import base64
import json
import pathlib

import numpy as np
from PIL import Image

cases = []
for width, height, size in [(64, 48, 16), (37, 91, 16), (10, 30, 16), (16, 16, 16), (5, 200, 12), (100, 100, 28)]:
    i = np.arange(width * height * 3, dtype=np.int64)
    picture = Image.fromarray((i * i % 251).astype(np.uint8).reshape(height, width, 3))
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = picture.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BILINEAR)
    cases.append({"Width": width, "Height": height, "Size": size, "Pixels": base64.b64encode(square.tobytes()).decode()})
path = pathlib.Path(__file__).parents[2] / "pipeline/neural/testdata/pillow.json"
path.parent.mkdir(exist_ok=True)
path.write_text(json.dumps(cases, indent=1) + "\n")
