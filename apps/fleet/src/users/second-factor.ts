/** The second factor: codes of six digits, each for half a minute, of an app on a phone (TOTP). */
import { Secret, TOTP } from "otpauth";

const PERIOD = 30;

const totpOf = (name: string, secret: string): TOTP =>
  new TOTP({ issuer: "Suture", label: name, secret: Secret.fromBase32(secret), period: PERIOD, digits: 6 });

export const newSecondFactor = (): string => new Secret({ size: 20 }).base32;

/** As apps take it. */
export const addressOf = (name: string, secret: string): string => totpOf(name, secret).toString();

export const codeAt = (name: string, secret: string, at: number): string => totpOf(name, secret).generate({ timestamp: at });

/** @returns which half minute the code is of, so that it is used once; undefined: it is of none about now */
export function stepOf(name: string, secret: string, code: string, now: number): number | undefined {
  const delta = totpOf(name, secret).validate({ token: code, timestamp: now, window: 1 });
  return delta === null ? undefined : Math.floor(now / 1000 / PERIOD) + delta;
}
