/** What somebody makes of a machine's signed report who wants it to be taken for something else, or the server to fall over it. */
import type { SignedReport } from "@suture/protocol";
import type { TestMachine } from "../../apps/fleet/test/machine.ts";

export interface Means {
  random: () => number;
  /** Whose keys he has. */
  own: readonly TestMachine[];
  /** Of whom he has reports, and no keys. */
  others: readonly SignedReport[];
}

export interface Hostile {
  kind: string;
  /** As it is sent. */
  text: string;
}

const pick = <T>({ random }: Means, list: readonly T[]): T => {
  const one = list[Math.floor(random() * list.length)];
  if (one === undefined) throw new Error("nothing to choose of");
  return one;
};
const below = ({ random }: Means, n: number): number => Math.floor(random() * n);
const whole = (...reports: object[]): string => JSON.stringify({ reports });

const NUMBERS = ["-1", "0", "1e999", "-0", "0.5", "9007199254740993", "1e400", "NaN", "null", '"7"', "[]", "18446744073709551616"];
const TEXTS = [
  "\\u0000",
  "\\ud800",
  "\\u202e",
  "'; drop table host; --",
  "$1",
  "<script>alert(1)</script>",
  "../../etc/passwd",
  "%00",
  "\\u0000".repeat(500),
  "x".repeat(70_000),
];
const NAMES = ["__proto__", "constructor", "toString", "host", "body", "signature", "state", "suture-report", "reports", ""];

/** Bytes of the whole, anywhere. */
function bytes(means: Means): string {
  const text = Buffer.from(whole(pick(means, means.others)));
  const at = below(means, text.length);
  switch (below(means, 4)) {
    case 0:
      text[at] = below(means, 256);
      return text.toString("latin1");
    case 1:
      return text.subarray(0, at).toString("latin1");
    case 2:
      return Buffer.concat([text.subarray(0, at), text.subarray(below(means, text.length))]).toString("latin1");
    default:
      return Buffer.concat([text.subarray(0, at), Buffer.from([below(means, 256)]), text.subarray(at)]).toString("latin1");
  }
}

/** A digit of the signature, or all of it. */
function signature(means: Means): string {
  const one = pick(means, means.others);
  const at = below(means, one.signature.length);
  const digit = "0123456789abcdefABCDEFg "[below(means, 24)] ?? "0";
  const signatures = [
    `${one.signature.slice(0, at)}${digit}${one.signature.slice(at + 1)}`,
    pick(means, means.others).signature,
    "0".repeat(128),
    one.signature.slice(0, at),
    one.signature.toUpperCase(),
    `${one.signature}00`,
  ];
  return whole({ ...one, signature: pick(means, signatures) });
}

/** The report of one with the name of another. */
function taken(means: Means): string {
  const one = pick(means, means.others);
  const thief = pick(means, means.own);
  const victim = one.host;
  const body = JSON.parse(one.body) as object;
  const forged = JSON.stringify({ ...body, counter: Date.now() * 2, host: below(means, 2) === 0 ? victim : thief.host });
  const signed = thief.sign(`suture report\n${forged}`);
  const forms = [
    { host: victim, body: forged, signature: signed },
    { host: thief.host, body: JSON.stringify({ ...body, host: victim }), signature: signed },
    { host: thief.host, body: one.body, signature: thief.sign(`suture report\n${one.body}`) },
    { host: thief.host, body: one.body, signature: one.signature },
    { host: victim, body: forged, signature: thief.sign(forged) },
    { ...one, host: thief.host },
    { host: victim.toUpperCase(), body: one.body, signature: one.signature },
    { host: [victim], body: one.body, signature: one.signature },
  ];
  return whole(pick(means, forms));
}

/** Signed in order, by a machine that lies: what it says is not what a report is. */
function lied(means: Means): string {
  const machine = pick(means, means.own);
  const given = machine.report(true).body;
  const at = given.indexOf(":", below(means, given.length));
  const forms = [
    given.replace(/"counter":\d+/, `"counter":${pick(means, NUMBERS)}`),
    given.replace(/"beatSeconds":\d+/, `"beatSeconds":${pick(means, NUMBERS)}`),
    given.replace(/"release":"[^"]*"/, `"release":"${pick(means, TEXTS)}"`),
    given.replace(/"bootId":"[^"]*"/, `"bootId":"${pick(means, TEXTS)}"`),
    given.replace(/"hold":null/, `"hold":"${pick(means, TEXTS)}"`),
    given.replace("{", `{"${pick(means, NAMES)}":${pick(means, NUMBERS)},`),
    given.replace(/"host":"[^"]*"/, `"host":"${pick(means, means.others).host}"`),
    given.replace(/"at":"[^"]*"/, `"at":"${pick(means, ["", "9999-99-99T99:99:99Z", "+275760-09-13T00:00:00.001Z", "yesterday"])}"`),
    `${given.slice(0, at)}:${"[".repeat(below(means, 20_000))}`,
    `${"[".repeat(20_000)}${"]".repeat(20_000)}`,
    given.replace(/"labels":\[\]/, `"labels":[${'"a",'.repeat(below(means, 3000))}"a"]`),
    given.slice(0, below(means, given.length)),
    "",
    "null",
    `${given}${given}`,
  ];
  const body = pick(means, forms);
  return whole({ host: machine.host, body, signature: machine.sign(`suture report\n${body}`) });
}

/** All in order but that it is not so: each time another kernel, and livepatches that nobody has. */
function madeUp(means: Means): string {
  const machine = pick(means, means.own);
  const word = (): string => `${below(means, 1_000_000)}`;
  const livepatches = Array.from({ length: below(means, 201) }, () => ({
    name: word().padEnd(100, "x"),
    sha256: below(means, 2) === 0 ? null : word().padStart(64, "0"),
    inEffect: true,
    kept: true,
  }));
  machine.state = { ...machine.state, version: pick(means, [`6.1.${word()}-1`, "", "<b>", `${word()}`.padEnd(100, "~")]), livepatches };
  return whole(machine.report(true));
}

/** Said before: whether it is late, or the same again, or many times in one. */
function repeated(means: Means): string {
  const one = pick(means, means.others);
  return whole(...Array.from({ length: 1 + below(means, 20) }, () => one));
}

function shape(means: Means): string {
  const one = pick(means, means.others);
  const forms = [
    "",
    "null",
    "[]",
    "{}",
    '{"reports":{}}',
    '{"reports":null}',
    `{"reports":[${"{},".repeat(below(means, 1200))}{}]}`,
    whole(...Array.from({ length: 1001 }, () => one)),
    whole({ ...one, more: 1 }),
    whole({ host: one.host, body: { ...one }, signature: one.signature }),
    `{"__proto__":{"reports":[]},"reports":[]}`,
    `{"reports":[],"reports":${JSON.stringify([one])}}`,
    whole({ ...one, body: "x".repeat(66_000) }),
    "[".repeat(50_000),
  ];
  return pick(means, forms);
}

const KINDS: Readonly<Record<string, (means: Means) => string>> = { bytes, signature, taken, lied, madeUp, repeated, shape };

export function hostile(means: Means): Hostile {
  const kind = pick(means, Object.keys(KINDS));
  return { kind, text: KINDS[kind]?.(means) ?? "" };
}
