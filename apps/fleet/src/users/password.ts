/** Passwords: what is kept of one is what scrypt makes of it. */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";

/** 64 MiB for each. */
const COST = { N: 2 ** 16, r: 8, p: 2, maxmem: 96 * 1024 * 1024 } as const;
const LENGTH = 32;
/** Each takes memory and a processor: more of them wait. */
const AT_ONCE = 2;

let running = 0;
const waiting: (() => void)[] = [];

async function derive(password: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> {
  if (running >= AT_ONCE) await new Promise<void>((go) => waiting.push(go));
  else running += 1;
  try {
    return await new Promise((done, failed) => {
      scrypt(password.normalize("NFC"), salt, LENGTH, options, (error, key) => (error === null ? done(key) : failed(error)));
    });
  } finally {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}

export async function keptOf(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password, salt, COST);
  return ["scrypt", COST.N, COST.r, COST.p, salt.toString("base64url"), key.toString("base64url")].join(":");
}

/** @param kept undefined: there is none, which takes as long to say */
export async function isPassword(password: string, kept: string | undefined): Promise<boolean> {
  const [kind, N, r, p, salt = "", key = ""] = (kept ?? "").split(":");
  const options = kind === "scrypt" ? { N: Number(N), r: Number(r), p: Number(p), maxmem: COST.maxmem } : COST;
  const found = await derive(password, Buffer.from(salt, "base64url"), options);
  const wanted = Buffer.from(key, "base64url");
  return wanted.length === found.length && timingSafeEqual(found, wanted);
}
