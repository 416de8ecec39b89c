/** The codes of the Go package model/fault, and "unreachable" for a server that does not answer. They never change their meaning. */
export type Code =
  | "invalid"
  | "bad_data"
  | "bad_model"
  | "unsupported"
  | "not_found"
  | "conflict"
  | "too_large"
  | "denied"
  | "unavailable"
  | "corrupt"
  | "canceled"
  | "internal"
  | "unreachable";

/** One thing that is wrong with one field of one row. */
export interface Problem {
  /** Row number from 0; absent when the problem is not a row's. */
  row?: number;
  /** Name of the input; absent when the problem is the whole row's. */
  field?: string;
  message: string;
}

export interface JarvisErrorOptions {
  hint?: string | undefined;
  field?: string | undefined;
  problems?: Problem[] | undefined;
  status?: number | undefined;
  cause?: unknown;
}

/** The one error of this library: a stable code, a message for the person, and a hint that says what to do next. */
export class JarvisError extends Error {
  readonly code: Code;
  readonly hint: string | undefined;
  readonly field: string | undefined;
  readonly problems: Problem[];
  readonly status: number | undefined;

  constructor(code: Code, message: string, options: JarvisErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "JarvisError";
    this.code = code;
    this.hint = options.hint;
    this.field = options.field;
    this.problems = options.problems ?? [];
    this.status = options.status;
  }

  /** Turns anything that was thrown into a JarvisError; one that already is stays the same object. */
  static from(thrown: unknown): JarvisError {
    if (thrown instanceof JarvisError) return thrown;
    if (thrown instanceof Error) {
      const { code, hint, field } = thrown as Error & { code?: unknown; hint?: unknown; field?: unknown };
      return new JarvisError(isCode(code) ? code : "internal", thrown.message, {
        hint: typeof hint === "string" && hint !== "" ? hint : undefined,
        field: typeof field === "string" && field !== "" ? field : undefined,
        cause: thrown,
      });
    }
    return new JarvisError("internal", String(thrown));
  }
}

const codes: ReadonlySet<string> = new Set<Code>([
  "invalid", "bad_data", "bad_model", "unsupported", "not_found", "conflict",
  "too_large", "denied", "unavailable", "corrupt", "canceled", "internal", "unreachable",
]);

export function isCode(value: unknown): value is Code {
  return typeof value === "string" && codes.has(value);
}
