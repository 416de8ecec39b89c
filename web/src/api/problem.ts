import { JarvisError, type Code, type Problem } from "../jarvis/index.js";
import { isCode } from "../jarvis/errors.js";

/** Reads an RFC 9457 problem into the error that the rest of the page shows. */
export function fromProblem(status: number, body: unknown): JarvisError {
  const { title, detail, code, hint, errors } = isObject(body) ? body : {};
  const problems = Array.isArray(errors) ? errors.filter(isObject).map(toProblem) : [];
  const message = [detail, title].find((text) => typeof text === "string" && text !== "");
  return new JarvisError(isCode(code) ? code : codeOf(status), typeof message === "string" ? message : `the server answered HTTP ${status}`, {
    status,
    hint: typeof hint === "string" && hint !== "" ? hint : undefined,
    field: problems.find((problem) => problem.field)?.field,
    problems,
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function toProblem(one: Record<string, unknown>): Problem {
  const where = typeof one["location"] === "string" ? readLocation(one["location"]) : {};
  return { ...where, message: typeof one["message"] === "string" ? one["message"] : "is wrong" };
}

/**
 * Reads where a problem is: "body.rows[2].bill depth", "rows[2].sex", "[2].sex", "/rows/2/sex", or a bare column name.
 * What follows the row number is taken as it stands: column names may hold dots and brackets.
 */
export function readLocation(location: string): { row?: number; field?: string } {
  const text = location.replace(/^body(?=[./[]|$)[./]?/, "");
  const indexed = /^(?:\/?rows)?(?:\[(\d+)\]|[./](\d+)(?=[./]|$))(?:[./]?(.*))?$/.exec(text);
  if (indexed) {
    const row = Number(indexed[1] ?? indexed[2]);
    const field = indexed[3];
    return field ? { row, field } : { row };
  }
  const bare = text.replace(/^rows$/, "");
  return bare ? { field: bare } : {};
}

function codeOf(status: number): Code {
  if (status === 401 || status === 403) return "denied";
  if (status === 404) return "not_found";
  if (status === 409) return "conflict";
  if (status === 413) return "too_large";
  if (status === 502 || status === 503 || status === 504) return "unavailable";
  return status >= 500 ? "internal" : "invalid";
}
