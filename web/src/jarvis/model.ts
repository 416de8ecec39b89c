import { JarvisError } from "./errors.js";
import type { Loaded, Port, Tensor, Tensors } from "./guest.js";
import { encodeRows, type Row } from "./rows.js";
import type { Run, Runtime } from "./runtime.js";
import { readSignature, type Signature } from "./signature.js";

/** The answer for one row of a classifier. */
export interface Classified {
  label: string;
  probabilities: Record<string, number>;
}

/** The answer for one row of a regressor. */
export interface Regressed {
  prediction: number;
}

export type Prediction = Classified | Regressed;

/** Milliseconds: compute is the guest alone, total has encoding, the way to the Worker and back, and decoding. */
export interface Timing {
  compute: number;
  total: number;
}

export interface Result {
  predictions: Prediction[];
  timing: Timing;
}

/** A loaded model. close() gives its memory back. */
export class Model {
  readonly metadata: Record<string, string>;
  readonly inputs: Port[];
  readonly outputs: Port[];
  readonly #id: number;
  readonly #runtime: Runtime;
  readonly #signature: Signature | undefined;

  constructor(runtime: Runtime, loaded: Loaded) {
    this.#runtime = runtime;
    this.#id = loaded.id;
    this.metadata = loaded.metadata;
    this.inputs = loaded.inputs;
    this.outputs = loaded.outputs;
    this.#signature = readSignature(loaded.metadata);
  }

  /** What the model takes and gives. An ONNX file of another maker has none: use run with tensors. */
  get signature(): Signature {
    if (!this.#signature) {
      throw new JarvisError("unsupported", "this model has no Jarvis signature", {
        hint: `call run with tensors for ${this.inputs.map((port) => port.name).join(", ")}`,
      });
    }
    return this.#signature;
  }

  /** True when the runtime under it has ended: load the model again. */
  get broken(): boolean {
    return this.#runtime.broken;
  }

  /** Predicts rows given by column name. Wrong rows are named in a JarvisError, and none is predicted. */
  async predict(rows: readonly Row[]): Promise<Result> {
    const from = performance.now();
    const { outputs, compute } = await this.#runtime.run(this.#id, encodeRows(this.signature, rows));
    const predictions = decode(this.signature, outputs, rows.length);
    return { predictions, timing: { compute, total: performance.now() - from } };
  }

  /** Runs the graph on tensors as they are. Typed arrays are handed over to the Worker, not copied. */
  run(inputs: Tensors): Promise<Run> {
    return this.#runtime.run(this.#id, inputs);
  }

  async close(): Promise<void> {
    if (!this.#runtime.broken) await this.#runtime.unload(this.#id);
  }
}

/** Reads label (rows) and probabilities (rows, classes), or prediction (rows, 1). */
function decode(signature: Signature, outputs: Tensors, rows: number): Prediction[] {
  if (signature.task === "regression") {
    const values = numbers(outputs, "prediction", rows);
    return Array.from({ length: rows }, (_, i) => ({ prediction: values(i) }));
  }
  const classes = signature.classes ?? [];
  const labels = output(outputs, "label", rows).data;
  const values = numbers(outputs, "probabilities", rows * classes.length);
  return Array.from({ length: rows }, (_, i) => ({
    label: String(labels[i]),
    probabilities: Object.fromEntries(classes.map((name, k) => [name, values(i * classes.length + k)])),
  }));
}

function output(outputs: Tensors, name: string, size: number): Tensor {
  const tensor = outputs[name];
  if (!tensor) throw new JarvisError("bad_model", "the model lacks an output of its signature", { field: name });
  if (tensor.data.length !== size) {
    throw new JarvisError("bad_model", `the model gave ${tensor.data.length} values where ${size} were expected`, { field: name });
  }
  return tensor;
}

function numbers(outputs: Tensors, name: string, size: number): (i: number) => number {
  const { data } = output(outputs, name, size);
  return (i) => Number(data[i]);
}
