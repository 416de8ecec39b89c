import { JarvisError } from "./errors.js";

/** How the text or number of a column was understood in training. */
export type Kind = "number" | "category" | "boolean" | "date" | "text" | "image" | "sequence";

/** One raw column that the model takes. */
export interface Input {
  name: string;
  type: string;
  kind: Kind;
  /** Of one row of an image (height, width, channels) or a sequence (steps, numbers of a step); -1 where it is free. */
  shape?: number[];
  /** Known categories, most frequent first. */
  values?: string[];
  /** Range of the training data, numbers only. */
  min?: number;
  max?: number;
  /** A typical value. */
  example?: string | number | boolean | null;
  /** Share of missing values in the training data, 0 … 1. */
  missing: number;
}

/** What a model takes and gives. */
export interface Signature {
  task: "classification" | "regression";
  target: string;
  /** Class labels in the order of the probabilities. */
  classes?: string[];
  inputs: Input[];
}

export const signatureKey = "jarvis.signature";

/** Reads the signature from an artifact's metadata; a file that Jarvis did not write has none. */
export function readSignature(metadata: Record<string, string>): Signature | undefined {
  const text = metadata[signatureKey];
  if (!text) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    throw new JarvisError("bad_model", "broken metadata", { field: signatureKey, cause: thrown });
  }
  if (!isSignature(value)) throw new JarvisError("bad_model", "the signature is not one that Jarvis wrote", { field: signatureKey });
  return value;
}

const kinds: ReadonlySet<unknown> = new Set<Kind>(["number", "category", "boolean", "date", "text", "image", "sequence"]);

export function isSignature(value: unknown): value is Signature {
  if (typeof value !== "object" || value === null) return false;
  const { task, target, classes, inputs } = value as Record<string, unknown>;
  if (task !== "classification" && task !== "regression") return false;
  if (typeof target !== "string" || !Array.isArray(inputs)) return false;
  if (classes !== undefined && classes !== null && !isTexts(classes)) return false;
  return inputs.every((one: unknown) => {
    if (typeof one !== "object" || one === null) return false;
    const { name, kind, values, shape } = one as Record<string, unknown>;
    const inner = kind === "image" ? 3 : kind === "sequence" ? 2 : 0;
    if (inner > 0 && !isShape(shape, inner)) return false;
    return typeof name === "string" && kinds.has(kind) && (values === undefined || values === null || isTexts(values));
  });
}

/** Lengths of which the last, of channels or of a step, is known. */
function isShape(value: unknown, rank: number): boolean {
  return Array.isArray(value) && value.length === rank && value.every((n) => Number.isInteger(n) && n !== 0 && n >= -1) && value.at(-1) > 0;
}

/** The last length of an input's shape: channels of a picture, numbers of a step. */
export function innerOf(input: Input): number {
  return input.shape?.at(-1) ?? 1;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}
