/** The order of versions of Debian packages, as dpkg has it (deb-version(7)). */

/** Negative where `a` is older, 0 where they are the same. */
export function compareVersions(a: string, b: string): number {
  const [one, other] = [partsOf(a), partsOf(b)];
  return one.epoch - other.epoch || compareParts(one.upstream, other.upstream) || compareParts(one.revision, other.revision);
}

function partsOf(version: string): { epoch: number; upstream: string; revision: string } {
  const [, epoch = "0", rest = ""] = /^(?:(\d+):)?(.*)$/s.exec(version) ?? [];
  const dash = rest.lastIndexOf("-");
  return { epoch: Number(epoch), upstream: dash < 0 ? rest : rest.slice(0, dash), revision: dash < 0 ? "" : rest.slice(dash + 1) };
}

/** Runs of what is no digit and of digits take turns. */
function compareParts(a: string, b: string): number {
  let [left, right] = [a, b];
  while (left !== "" || right !== "") {
    const [one = "", other = ""] = [/^\D*/.exec(left)?.[0], /^\D*/.exec(right)?.[0]];
    for (let i = 0; i < Math.max(one.length, other.length); i++) {
      const difference = rank(one[i]) - rank(other[i]);
      if (difference !== 0) return difference;
    }
    [left, right] = [left.slice(one.length), right.slice(other.length)];
    const [number = "", otherNumber = ""] = [/^\d*/.exec(left)?.[0], /^\d*/.exec(right)?.[0]];
    const difference = Number(number) - Number(otherNumber);
    if (difference !== 0) return difference;
    [left, right] = [left.slice(number.length), right.slice(otherNumber.length)];
  }
  return 0;
}

/** A tilde comes before the end of the version, letters before all else. */
function rank(character: string | undefined): number {
  if (character === undefined) return 0;
  if (character === "~") return -1;
  return /[A-Za-z]/.test(character) ? character.charCodeAt(0) : character.charCodeAt(0) + 256;
}

/** Of Debian's kernels: "Linux version RELEASE (...) #1 SMP PREEMPT_DYNAMIC Debian VERSION (DATE)". */
export function packageVersionOf(banner: string): string | undefined {
  return /\sDebian (\d\S*)(?: \(\d{4}-\d\d-\d\d\))?\s*$/.exec(banner)?.[1];
}
