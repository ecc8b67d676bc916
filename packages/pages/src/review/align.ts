/** Two lists beside each other: which entries stand for each other. */

/** Of a long function with little in common no more than this is looked for. */
const MOST_EDITS = 1500;

/** Pairs of indices; one of them undefined where the other side has nothing. The shortest way from one list to the other (Myers, 1986). */
export function align(before: readonly string[], after: readonly string[]): Pair[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < before.length - head && tail < after.length - head && before[before.length - 1 - tail] === after[after.length - 1 - tail])
    tail++;
  const middle = edits(before.slice(head, before.length - tail), after.slice(head, after.length - tail));
  return [
    ...Array.from({ length: head }, (_, i): [number, number] => [i, i]),
    ...middle.map(([a, b]): Pair => [a === undefined ? a : a + head, b === undefined ? b : b + head]),
    ...Array.from({ length: tail }, (_, i): [number, number] => [before.length - tail + i, after.length - tail + i]),
  ];
}

type Pair = [old: number | undefined, fresh: number | undefined];

/** For each diagonal from -d to d how far it was followed. */
type Furthest = Int32Array;

function edits(before: readonly string[], after: readonly string[]): Pair[] {
  const [n, m] = [before.length, after.length];
  const most = Math.min(n + m, MOST_EDITS);
  const trace: Furthest[] = [];
  for (let d = 0; d <= most; d++) {
    const reached = new Int32Array(2 * d + 1);
    const last = trace[d - 1];
    for (let k = -d; k <= d; k += 2) {
      let x = last === undefined ? 0 : stepInto(last, d, k).x;
      while (x < n && x - k < m && before[x] === after[x - k]) x++;
      reached[k + d] = x;
      if (x >= n && x - k >= m) return back(trace, n, m);
    }
    trace.push(reached);
  }
  // Too different: one after the other.
  return [...before.map((_, i): Pair => [i, undefined]), ...after.map((_, i): Pair => [undefined, i])];
}

/** How diagonal `k` is entered at edit `d`: by one entry more of the new list (down), or one less of the old one. */
function stepInto(last: Furthest, d: number, k: number): { down: boolean; from: number; x: number } {
  const at = (diagonal: number): number => last[diagonal + d - 1] ?? -1;
  const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
  return down ? { down, from: at(k + 1), x: at(k + 1) } : { down, from: at(k - 1), x: at(k - 1) + 1 };
}

/** @param trace of the edits before the last one */
function back(trace: readonly Furthest[], n: number, m: number): Pair[] {
  const found: Pair[] = [];
  let [x, y] = [n, m];
  for (let d = trace.length; d > 0; d--) {
    const k = x - y;
    const { down, from, x: start } = stepInto(trace[d - 1] as Furthest, d, k);
    while (x > start) found.push([--x, --y]);
    found.push(down ? [undefined, --y] : [--x, undefined]);
    x = from;
  }
  while (x > 0) found.push([--x, --y]);
  return found.reverse();
}
