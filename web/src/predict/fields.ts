import { checkRows, innerOf, type Input, type Problem, type Row, type Signature, type Value } from "../jarvis/index.js";

/** What a person has entered for one input. */
export interface Field {
  text: string;
  missing: boolean;
}

export type Fields = Record<string, Field>;

/** The form as it opens: every field holds its example. */
export function initialFields(signature: Signature): Fields {
  return Object.fromEntries(
    signature.inputs.map((input) => {
      const example = input.example ?? input.values?.[0] ?? (input.kind === "number" ? input.min : undefined);
      const none = example === undefined || example === null || example === "";
      const text = input.kind === "sequence" ? sequence(input) : none ? "" : typeof example === "number" ? plain(example) : String(example);
      return [input.name, { text, missing: none && input.missing > 0 && optional(input) }];
    }),
  );
}

/** Whether the model can do without a value of the input. */
export function optional(input: Input): boolean {
  return input.kind !== "image" && input.kind !== "sequence";
}

/** A short sequence that the model takes. */
function sequence(input: Input): string {
  if (Array.isArray(input.example)) return JSON.stringify(input.example);
  const width = innerOf(input);
  const step = width === 1 ? 0 : Array.from({ length: width }, () => 0);
  return JSON.stringify(Array.from({ length: 3 }, () => step));
}

export interface Entered {
  row: Row;
  /** Messages by input name. */
  problems: Record<string, string>;
}

/** Turns the form into a row, and says what is wrong at which field. */
export function readFields(signature: Signature, fields: Fields): Entered {
  const row: Row = {};
  const problems: Record<string, string> = {};
  for (const input of signature.inputs) {
    const field = fields[input.name] ?? { text: "", missing: false };
    const text = field.text.trim();
    if (field.missing) row[input.name] = null;
    else if (text === "") {
      row[input.name] = null;
      problems[input.name] = input.kind === "image" ? "Choose a picture" : optional(input) ? "Enter a value, or mark it as missing" : "Enter a list of numbers";
    } else row[input.name] = input.kind === "number" ? readNumber(text) : input.kind === "sequence" ? readSequence(text) : text;
  }
  for (const problem of checkRows(signature, [row])) {
    if (problem.field) problems[problem.field] ??= capital(problem.message);
  }
  return { row, problems };
}

/** A number as a person writes it: a comma may be the decimal sign. Text that is no number stays text. */
export function readNumber(text: string): number | string {
  const decimal = /^[+-]?\d*,\d+$/.test(text) ? text.replace(",", ".") : text;
  const value = Number(decimal);
  return decimal.trim() === "" || Number.isNaN(value) ? text : value;
}

/** A sequence as JSON has it; text that is no JSON stays text. */
export function readSequence(text: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch {
    return text;
  }
}

/** Puts a server's problems at the fields that they name; the rest goes to the form as a whole. */
export function placeProblems(signature: Signature, problems: readonly Problem[]): { at: Record<string, string>; rest: string[] } {
  const names = new Set(signature.inputs.map((input) => input.name));
  const at: Record<string, string> = {};
  const rest: string[] = [];
  for (const { field, message } of problems) {
    if (field && names.has(field)) at[field] ??= capital(message);
    else rest.push(field ? `${field}: ${message}` : message);
  }
  return { at, rest };
}

/** A step for the arrows of a number field: a hundredth of the range, rounded down to 1, 2 or 5 of a decade. */
export function stepOf(input: Input): number {
  const range = (input.max ?? 0) - (input.min ?? 0);
  if (!(range > 0) || !Number.isFinite(range)) return 1;
  const rough = range / 100;
  const decade = 10 ** Math.floor(Math.log10(rough));
  const lead = rough / decade;
  const step = (lead >= 5 ? 5 : lead >= 2 ? 2 : 1) * decade;
  const whole = [input.min, input.max, input.example].every((value) => value === undefined || value === null || Number.isInteger(value));
  return Number((whole ? Math.max(1, step) : step).toPrecision(1));
}

/** Whether a number lies outside what the model saw in training. */
export function outside(input: Input, value: unknown): boolean {
  return typeof value === "number" && ((input.min !== undefined && value < input.min) || (input.max !== undefined && value > input.max));
}

/** Shortest text of a number, free of float32 noise such as 39.099998474. */
export function plain(value: number): string {
  const short = Number(value.toPrecision(7));
  return String(Math.fround(short) === Math.fround(value) ? short : value);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
