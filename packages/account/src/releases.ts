/** Releases of the kernel, as the records name them: `6.1.192`, and of what series. */

/** Of a package's version `6.1.192-2`, or of `6.12.117-1~deb12u1`; undefined for another form. */
export function upstreamOf(version: string | undefined): string | undefined {
  return /^(?:\d+:)?(\d{1,4}\.\d{1,4}(?:\.\d{1,6})?)(?:[-+~].*)?$/.exec(version ?? "")?.[1];
}

/** Whether `release` is of the series of `base`, newer than it, and not newer than `target`. */
export function isBetween(release: string, base: string, target: string): boolean {
  const [at, from, to] = [release, base, target].map(numbersOf);
  return (
    at?.series === from?.series &&
    at?.series === to?.series &&
    (at?.patch ?? 0) > (from?.patch ?? 0) &&
    (at?.patch ?? 0) <= (to?.patch ?? 0)
  );
}

/** Whether a kernel of `base` has what its series has since `release`. */
export function has(base: string, release: string): boolean {
  const [own, other] = [numbersOf(base), numbersOf(release)];
  return own.series === other.series && own.patch >= other.patch;
}

function numbersOf(release: string): { series: string; patch: number } {
  const [one = "", two = "", three = "0"] = release.split(".");
  return { series: `${one}.${two}`, patch: Number(three) };
}
