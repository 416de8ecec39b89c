import type { Signature } from "../jarvis/index.js";

/** Metric names to numbers. */
export type Metrics = Record<string, number>;

export interface ModelSummary {
  name: string;
  task: "classification" | "regression";
  target: string;
  estimator: string;
  champion: number | null;
  candidate: number | null;
  versions: number;
  created: string;
  metrics: Metrics;
  baseline: Metrics;
}

export interface Version {
  number: number;
  sha256: string;
  size: number;
  created: string;
  who: string;
  why: string;
  metrics: Metrics;
  deleted?: boolean;
}

export interface HistoryEntry {
  seq: number;
  time: string;
  who: string;
  why: string;
  action: string;
  alias?: string;
  version?: number;
}

export interface ModelDetail {
  name: string;
  aliases: Record<string, number>;
  versions: Version[];
  /** The champion's; absent while the model has none. */
  signature?: Signature | null;
  history: HistoryEntry[];
}
