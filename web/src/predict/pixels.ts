import { innerOf, JarvisError, type Input, type Pixels, type Row, type Signature } from "../jarvis/index.js";

/** The most pixels of a picture that is decoded in the page. */
const most = 1 << 25;

const kept = new Map<string, Promise<Pixels>>();

/** The row with its pictures decoded, as the page's predictor takes it. */
export async function withPixels(signature: Signature, row: Row): Promise<Row> {
  const pictures = signature.inputs.filter((input) => input.kind === "image");
  if (pictures.length === 0) return row;
  const decoded = { ...row };
  for (const input of pictures) {
    const value = row[input.name];
    if (typeof value === "string") decoded[input.name] = await decode(value, input);
  }
  return decoded;
}

/** Decodes a data: URL once; the last few pictures are kept, as a form is answered at every change. */
function decode(url: string, input: Input): Promise<Pixels> {
  const channels = innerOf(input);
  const key = `${channels} ${url}`;
  let pixels = kept.get(key);
  if (!pixels) {
    pixels = draw(url, channels).catch((thrown: unknown) => {
      kept.delete(key);
      throw thrown;
    });
    kept.set(key, pixels);
    const oldest = kept.keys().next().value;
    if (kept.size > 4 && oldest !== undefined) kept.delete(oldest);
  }
  return pixels;
}

async function draw(url: string, channels: number): Promise<Pixels> {
  let bitmap: ImageBitmap;
  try {
    // As the server sees it: neither turned by what the camera noted nor moved into the screen's colours.
    bitmap = await createImageBitmap(toBlob(url), { imageOrientation: "none", colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch (thrown) {
    throw new JarvisError("invalid", "the picture cannot be decoded in this page", { hint: "the server may read it", cause: thrown });
  }
  const { width, height } = bitmap;
  if (width * height > most) throw new JarvisError("too_large", `a picture of ${width}×${height} pixels`, { hint: "make it smaller" });
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new JarvisError("unsupported", "this browser does not decode pictures for the page");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, data: fromRGBA(context.getImageData(0, 0, width, height).data, channels) };
}

function toBlob(url: string): Blob {
  const [head = "", body = ""] = url.split(",", 2);
  return new Blob([Uint8Array.from(atob(body), (one) => one.charCodeAt(0))], { type: /^data:([^;]*)/.exec(head)?.[1] ?? "" });
}

/** Leaves transparency out, and makes grey by ITU-R 601-2 in the fixed point that the server uses. */
export function fromRGBA(rgba: ArrayLike<number>, channels: number): Uint8Array {
  const data = new Uint8Array((rgba.length / 4) * channels);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += channels) {
    const [r = 0, g = 0, b = 0] = [rgba[from], rgba[from + 1], rgba[from + 2]];
    if (channels === 1) data[to] = (19595 * r + 38470 * g + 7471 * b + 32768) >> 16;
    else {
      data[to] = r;
      data[to + 1] = g;
      data[to + 2] = b;
    }
  }
  return data;
}
