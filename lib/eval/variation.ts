/** Statistics of a score against a yes or no: correlation, the area under the curve, quantiles. */

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Pearson's correlation (point-biserial where one side is 0 and 1). NaN where a side does not vary. */
export function correlation(x: readonly number[], y: readonly number[]): number {
  const [mx, my] = [mean(x), mean(y)];
  let [sxy, sxx, syy] = [0, 0, 0];
  x.forEach((v, i) => {
    sxy += (v - mx) * (y[i] - my);
    sxx += (v - mx) ** 2;
    syy += (y[i] - my) ** 2;
  });
  return sxx > 0 && syy > 0 ? sxy / Math.sqrt(sxx * syy) : Number.NaN;
}

/**
 * The probability that a right one has a higher score than a wrong one, ties counted half (area under the ROC curve; Mann-Whitney).
 * NaN where there are none of one kind.
 */
export function rankedRight(scores: readonly number[], right: readonly boolean[]): number {
  const of = (wanted: boolean): number[] => scores.filter((_, i) => right[i] === wanted);
  const [yes, no] = [of(true), of(false)];
  let sum = 0;
  for (const a of yes) for (const b of no) sum += a > b ? 1 : a === b ? 0.5 : 0;
  return sum / (yes.length * no.length);
}

/** mean, std, p10, p50, p90, and the shares below 0.05 and above 0.95: where a score in (0, 1) is saturated. */
export function quantiles(values: readonly number[]): Record<string, number> {
  if (!values.length) return {};
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
  const m = mean(values);
  return {
    mean: m,
    std: Math.sqrt(mean(values.map((v) => (v - m) ** 2))),
    p10: at(0.1),
    p50: at(0.5),
    p90: at(0.9),
    low: values.filter((v) => v < 0.05).length / values.length,
    high: values.filter((v) => v > 0.95).length / values.length,
  };
}
