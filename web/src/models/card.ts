import type { Model } from "../jarvis/index.js";
import type { Metrics } from "../api/types.js";

/** What an artifact says of its making; each part may be absent. */
export interface Card {
  estimator?: string;
  dataName?: string;
  rows?: number;
  seed?: number;
  created?: string;
  dropped: { column: string; reason: string }[];
  metrics?: Metrics;
  baseline?: Metrics;
  holdout?: number;
}

/** Reads the card that travels in the model file. */
export function readCard(model: Model): Card {
  const provenance = part(model.metadata["jarvis.provenance"]);
  const metrics = part(model.metadata["jarvis.metrics"]);
  const card: Card = { dropped: [] };
  if (typeof provenance["estimator"] === "string") card.estimator = provenance["estimator"];
  if (typeof provenance["data_name"] === "string") card.dataName = provenance["data_name"];
  if (typeof provenance["rows"] === "number") card.rows = provenance["rows"];
  if (typeof provenance["seed"] === "number") card.seed = provenance["seed"];
  if (typeof provenance["created"] === "string") card.created = provenance["created"];
  if (Array.isArray(provenance["dropped"])) card.dropped = provenance["dropped"].filter(isDropped);
  if (isMetrics(metrics["holdout"])) card.metrics = metrics["holdout"];
  if (isMetrics(metrics["baseline"])) card.baseline = metrics["baseline"];
  if (typeof metrics["rows"] === "number") card.holdout = metrics["rows"];
  return card;
}

function part(text: string | undefined): Record<string, unknown> {
  if (!text) return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isDropped(one: unknown): one is { column: string; reason: string } {
  return typeof one === "object" && one !== null && "column" in one && typeof one.column === "string" && "reason" in one && typeof one.reason === "string";
}

function isMetrics(value: unknown): value is Metrics {
  return typeof value === "object" && value !== null && Object.values(value).every((one) => typeof one === "number");
}
