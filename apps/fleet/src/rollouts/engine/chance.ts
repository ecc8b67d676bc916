/** What is chance, and what is not. */

/** Of a rate of which `bad` of `all` were seen: below this it is with one in 40. Wilson's interval. */
export function lowerBound(bad: number, all: number): number {
  if (all === 0) return 0;
  const z = 1.96;
  const p = bad / all;
  const middle = p + (z * z) / (2 * all);
  const half = z * Math.sqrt((p * (1 - p)) / all + (z * z) / (4 * all * all));
  return Math.max(0, (middle - half) / (1 + (z * z) / all));
}

/** How likely so many or more come by chance where `expected` do on average. Poisson. */
export function chanceOf(count: number, expected: number): number {
  if (count <= 0) return 1;
  if (expected <= 0) return 0;
  // The terms of those below; in logarithms, since the first of them may be too small for a number.
  let below = 0;
  let log = -expected;
  for (let k = 0; k < count; k++) {
    below += Math.exp(log);
    log += Math.log(expected) - Math.log(k + 1);
  }
  return Math.max(0, 1 - below);
}

/** How many are more than chance explains; 0 where so many may well be chance. */
export function surplus(count: number, expected: number, likely: number): number {
  return chanceOf(count, expected) < likely ? Math.max(1, Math.round(count - expected)) : 0;
}
