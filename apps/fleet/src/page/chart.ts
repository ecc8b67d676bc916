/** Lines over time, as a picture that the server makes: no script, no style of its own. */
import { type Content, type Html, html } from "@suture/pages";
import type { Series } from "../samples/samples.ts";

const WIDTH = 640;
const HEIGHT = 200;
const LEFT = 56;
const BOTTOM = 24;
const TOP = 8;

const day = (at: number): string => new Date(at).toISOString().slice(0, 16).replace("T", " ");

/** @returns undefined where there is no time between the first and the last */
export function chartHtml(title: string, series: readonly Series[]): Html | undefined {
  const times = series.flatMap(({ points }) => points.map(([at]) => at));
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const most = Math.max(1, ...series.flatMap(({ points }) => points.map(([, value]) => value)));
  if (times.length === 0 || first === last) return undefined;
  const x = (at: number): string => (LEFT + ((WIDTH - LEFT - 8) * (at - first)) / (last - first)).toFixed(1);
  const y = (value: number): string => (HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * value) / most).toFixed(1);
  const line = ({ points }: Series, i: number): Content => {
    // Nothing is between two samples: it stays as it was until the next.
    const steps = points.flatMap(([at, value], n) => {
      const before = points[n - 1]?.[1];
      return before === undefined ? [`${x(at)},${y(value)}`] : [`${x(at)},${y(before)}`, `${x(at)},${y(value)}`];
    });
    return html`<polyline class="line-${i}" points="${steps.join(" ")}"/>`;
  };
  const now = series.map(({ name, points }) => `${name}: ${points.at(-1)?.[1] ?? 0}`).join(", ");
  return html`<figure class="chart"><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}; now ${now}">
<path class="axis" d="M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - 8}"/>
<text x="${LEFT - 6}" y="${TOP + 10}" text-anchor="end">${most}</text><text x="${LEFT - 6}" y="${HEIGHT - BOTTOM}" text-anchor="end">0</text>
<text x="${LEFT}" y="${HEIGHT - 6}">${day(first)}</text><text x="${WIDTH - 8}" y="${HEIGHT - 6}" text-anchor="end">${day(last)}</text>
${series.map(line)}</svg>
<figcaption>${title}: ${series.map(({ name, points }, i) => html`<span class="key-${i}">${name}</span> ${points.at(-1)?.[1] ?? 0} `)}</figcaption></figure>`;
}
