import { useState } from "react";

/** Measurements that the median is taken of. */
const window = 15;

/** The median of the last measurements, so that one hiccup does not stand for all. undefined before the first. */
export function useMedian(latest: number | undefined): number | undefined {
  const [seen, setSeen] = useState<{ last: number | undefined; values: number[] }>({ last: undefined, values: [] });
  if (latest !== undefined && latest !== seen.last) {
    setSeen({ last: latest, values: [...seen.values, latest].slice(-window) });
  }
  return median(seen.values);
}

export function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] as number;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] as number) + high) / 2;
}
