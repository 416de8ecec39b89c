import { metric } from "./metrics.js";

/** A metric between 0 and 1 as a bar, with a tick where the baseline is. The numbers stand beside it as text. */
export function MetricBar({ name, value, baseline }: { name: string; value: number | undefined; baseline: number | undefined }) {
  if (!metric(name).share || value === undefined) return null;
  const clamp = (share: number) => `${Math.min(1, Math.max(0, share)) * 100}%`;
  return (
    <div className="metric-bar" aria-hidden="true">
      <div style={{ width: clamp(value) }} />
      {baseline !== undefined && <i style={{ left: clamp(baseline) }} />}
    </div>
  );
}
