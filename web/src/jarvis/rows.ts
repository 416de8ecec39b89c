import { JarvisError, type Problem } from "./errors.js";
import type { Tensors } from "./guest.js";
import { innerOf, type Input, type Signature } from "./signature.js";

/** A decoded picture: bytes (height, width, channels), 1 channel for grey and 3 for red, green and blue, as the model's input has them. */
export interface Pixels {
  width: number;
  height: number;
  data: Uint8Array;
}

/** Steps one after another, each a number or, where the model's have several, a list of them. */
export type Steps = readonly number[] | readonly (readonly number[])[];

/**
 * A value of a row; null, undefined and NaN stand for a missing one. A picture is its file in base64 or a data: URL for a server, and Pixels here:
 * this library decodes none.
 */
export type Value = string | number | boolean | null | undefined | Pixels | Steps;

/** One row: values by column name. */
export type Row = Record<string, Value>;

/** Problems that are listed at most; a table of a million wrong rows needs no million messages. */
export const maxProblems = 1000;

/** Names everything that is wrong with the rows, in order, up to maxProblems. */
export function checkRows(signature: Signature, rows: readonly Row[]): Problem[] {
  const problems: Problem[] = [];
  const inputs = new Map(signature.inputs.map((input) => [input.name, input]));
  for (const [row, values] of rows.entries()) {
    for (const input of signature.inputs) {
      const message = wrong(input, values[input.name], Object.hasOwn(values, input.name));
      if (message) problems.push({ row, field: input.name, message });
    }
    for (const field of Object.keys(values)) {
      if (!inputs.has(field)) problems.push({ row, field, message: "the model has no such input" });
    }
    if (problems.length >= maxProblems) return problems.slice(0, maxProblems);
  }
  return problems;
}

function wrong(input: Input, value: Value, present: boolean): string | undefined {
  if (!present && input.missing === 0) return "is required: no row of the training data lacked it (null says that it is missing)";
  if (isMissing(value)) return input.kind === "image" || input.kind === "sequence" ? "must have a value: the model cannot do without" : undefined;
  switch (input.kind) {
    case "number":
      if (typeof value !== "number") return `must be a number, not ${JSON.stringify(value)}`;
      if (!Number.isFinite(Math.fround(value))) return "must fit in a 32-bit float";
      return undefined;
    case "boolean":
      if (typeof value === "boolean" || (typeof value === "string" && booleans.has(value))) return undefined;
      return `must be true or false, or a word such as "yes" and "no", not ${JSON.stringify(value)}`;
    case "date":
      return typeof value === "string" && isDate(value) ? undefined : 'must be a date such as "2026-01-31" or "2026-01-31T12:00:00"';
    case "image":
      return typeof value === "string" ? undefined : wrongPixels(input, value);
    case "sequence":
      return wrongSteps(input, value);
    case "category":
    case "text":
      return typeof value === "string" ? undefined : `must be text, not ${JSON.stringify(value)}`;
  }
}

function isPixels(value: Value): value is Pixels {
  return typeof value === "object" && value !== null && "data" in value;
}

function wrongPixels(input: Input, value: Value): string | undefined {
  if (!isPixels(value)) return "must be a picture: its file in base64 or a data: URL, or its pixels";
  const { width, height, data } = value;
  const channels = innerOf(input);
  if (!(width > 0 && height > 0) || data.length !== width * height * channels) return `must be a picture of ${channels} ${channels === 1 ? "byte" : "bytes"} a pixel`;
  return undefined;
}

/** Steps that a sequence may have. */
const maxSteps = 100_000;

function wrongSteps(input: Input, value: Value): string | undefined {
  const width = innerOf(input);
  const wanted = width === 1 ? "must be a list of numbers, such as [0.5, 1, 2.25]" : `must be a list of steps, each a list of ${width} numbers`;
  if (!Array.isArray(value)) return wanted;
  if (value.length === 0) return "must have one step at least";
  if (value.length > maxSteps) return `must have at most ${maxSteps} steps`;
  for (const step of value as unknown[]) {
    const numbers: unknown[] = Array.isArray(step) ? step : [step];
    if (numbers.length !== width) return wanted;
    for (const one of numbers) {
      if (typeof one !== "number") return wanted;
      if (!Number.isFinite(Math.fround(one))) return "must hold numbers that fit in a 32-bit float";
    }
  }
  return undefined;
}

export function isMissing(value: Value): boolean {
  return value === null || value === undefined || value === "" || (typeof value === "number" && Number.isNaN(value));
}

/** The words that every model reads as a truth value, in lower, title and upper case. */
const booleans: ReadonlySet<string> = new Set(
  ["true", "false", "yes", "no", "t", "f", "y", "n", "on", "off", "1", "0"].flatMap((word) => [
    word,
    word.charAt(0).toUpperCase() + word.slice(1),
    word.toUpperCase(),
  ]),
);

const iso = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})?)?$/;

function isDate(text: string): boolean {
  return iso.test(text) && !Number.isNaN(Date.parse(text.slice(0, 10)));
}

/** Makes the input tensors, one (rows, 1) per column. It throws a JarvisError that lists what is wrong. */
export function encodeRows(signature: Signature, rows: readonly Row[]): Tensors {
  const problems = checkRows(signature, rows);
  const first = problems[0];
  if (first) {
    const where = rows.length > 1 ? `row ${(first.row ?? 0) + 1}, ` : "";
    throw new JarvisError("invalid", `${where}${first.field ?? ""}: ${first.message}`, {
      field: first.field,
      problems,
      hint: `the model takes ${signature.inputs.map((input) => input.name).join(", ")}`,
    });
  }
  const tensors: Tensors = {};
  for (const input of signature.inputs) tensors[input.name] = encodeColumn(input, rows);
  return tensors;
}

function encodeColumn(input: Input, rows: readonly Row[]): Tensors[string] {
  if (input.kind === "image") return encodePictures(input, rows);
  if (input.kind === "sequence") return encodeSequences(input, rows);
  const shape = [rows.length, 1];
  if (input.kind === "number") {
    const data = new Float32Array(rows.length);
    for (const [i, row] of rows.entries()) {
      const value = row[input.name];
      data[i] = typeof value === "number" ? value : Number.NaN;
    }
    return { data, shape, dtype: "float32" };
  }
  return { data: rows.map((row) => text(row[input.name])), shape, dtype: "string" };
}

/** Pictures of one size as a tensor (rows, height, width, channels). */
function encodePictures(input: Input, rows: readonly Row[]): Tensors[string] {
  const pictures = rows.map((row) => row[input.name]);
  const first = pictures[0];
  if (!pictures.every(isPixels) || !isPixels(first)) {
    throw new JarvisError("unsupported", `${input.name}: the file of a picture is not decoded here`, { field: input.name, hint: "give its pixels, or ask a server" });
  }
  const { width, height } = first;
  if (pictures.some((one) => one.width !== width || one.height !== height)) {
    throw new JarvisError("invalid", `${input.name}: pictures of several sizes`, { field: input.name, hint: "predict those of one size at a time" });
  }
  const data = new Uint8Array(pictures.length * first.data.length);
  for (const [i, one] of pictures.entries()) data.set(one.data, i * first.data.length);
  return { data, shape: [pictures.length, height, width, innerOf(input)], dtype: "uint8" };
}

/** Sequences as a tensor (rows, steps of the longest, numbers of a step), filled up with NaN. */
function encodeSequences(input: Input, rows: readonly Row[]): Tensors[string] {
  const width = innerOf(input);
  const sequences = rows.map((row) => (row[input.name] as Steps).flat());
  const longest = Math.max(...sequences.map((one) => one.length / width));
  const data = new Float32Array(rows.length * longest * width).fill(Number.NaN);
  for (const [i, one] of sequences.entries()) data.set(one, i * longest * width);
  return { data, shape: [rows.length, longest, width], dtype: "float32" };
}

function text(value: Value): string {
  if (isMissing(value)) return "";
  return String(value);
}
