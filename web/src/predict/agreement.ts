import type { Prediction } from "../jarvis/index.js";

/** Largest difference between the page's numbers and the server's that still counts as the same answer. */
export const tolerance = 1e-5;

export interface Agreement {
  agree: boolean;
  /** Rows compared. */
  rows: number;
  /** Rows that differ, by number from 0. */
  differing: number[];
  /** Largest difference: of a probability, or of a prediction relative to its size where that is above 1. */
  difference: number;
}

/** Compares two lists of answers, row by row. */
export function compare(page: readonly Prediction[], server: readonly Prediction[]): Agreement {
  const rows = Math.max(page.length, server.length);
  const differing: number[] = [];
  let difference = 0;
  for (let i = 0; i < rows; i++) {
    const far = distance(page[i], server[i]);
    if (!(far <= tolerance) || !sameLabel(page[i], server[i])) differing.push(i);
    difference = Math.max(difference, far);
  }
  return { agree: differing.length === 0, rows, differing, difference };
}

function sameLabel(a: Prediction | undefined, b: Prediction | undefined): boolean {
  if (!a || !b) return false;
  if ("label" in a) return "label" in b && a.label === b.label;
  return !("label" in b);
}

/** Largest difference between two answers; Infinity when they are not of one kind or speak of other classes. */
export function distance(a: Prediction | undefined, b: Prediction | undefined): number {
  if (!a || !b) return Infinity;
  if ("prediction" in a) {
    if (!("prediction" in b)) return Infinity;
    return apart(a.prediction, b.prediction) / Math.max(1, Math.abs(a.prediction), Math.abs(b.prediction));
  }
  if ("prediction" in b) return Infinity;
  const names = new Set([...Object.keys(a.probabilities), ...Object.keys(b.probabilities)]);
  let far = 0;
  for (const name of names) far = Math.max(far, apart(a.probabilities[name], b.probabilities[name]));
  return far;
}

function apart(a: number | undefined, b: number | undefined): number {
  if (a === undefined || b === undefined) return Infinity;
  if (a === b) return 0;
  const far = Math.abs(a - b);
  return Number.isNaN(far) ? Infinity : far;
}
