import type { Metrics } from "../api/types.js";

interface Metric {
  title: string;
  /** Whether 1 is the best and 0 the worst, so that it can be drawn as a share. */
  share: boolean;
  lowerIsBetter?: boolean;
}

const known: Record<string, Metric> = {
  balanced_accuracy: { title: "Balanced accuracy", share: true },
  accuracy: { title: "Accuracy", share: true },
  roc_auc: { title: "ROC AUC", share: true },
  f1_macro: { title: "F1 (macro)", share: true },
  log_loss: { title: "Log loss", share: false, lowerIsBetter: true },
  r2: { title: "R²", share: true },
  rmse: { title: "RMSE", share: false, lowerIsBetter: true },
  mae: { title: "Mean absolute error", share: false, lowerIsBetter: true },
};

const headlines = ["accuracy", "balanced_accuracy", "roc_auc", "f1_macro", "r2", "rmse", "mae", "log_loss"];

export function metric(name: string): Metric {
  return known[name] ?? { title: name.replaceAll("_", " "), share: false };
}

/** The one metric that stands for the model: the first of a fixed order that it has. */
export function headline(metrics: Metrics | null | undefined): string | undefined {
  if (!metrics) return undefined;
  return headlines.find((name) => name in metrics) ?? Object.keys(metrics)[0];
}

/** Metrics in a fixed order, the unknown ones last. */
export function ordered(metrics: Metrics | null | undefined): [string, number][] {
  const rank = (name: string) => (headlines.includes(name) ? headlines.indexOf(name) : headlines.length);
  return Object.entries(metrics ?? {}).toSorted(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b));
}

export function formatMetric(name: string, value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "—";
  if (metric(name).share && name !== "r2") {
    if (value === 1) return "100%";
    // Nothing short of perfect is shown as 100%.
    const nearly = value < 1 && value >= 0.9995;
    return `${nearly ? (Math.floor(value * 10_000) / 100).toFixed(2) : (value * 100).toFixed(1)}%`;
  }
  if (name === "r2") return value.toFixed(3).replace(/^-(0\.0+)$/, "$1");
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}
