/** A function that takes the place of another, or is declared as the kernel's, must take and return what that one does. */
import type { BtfPrototype, BtfVariable } from "@suture/kernel";
import { sameShapeInKernel } from "@suture/types";
import { fail } from "./errors.ts";

export interface Held {
  /** FILE:LINE, or the file. */
  at: string;
  /** The kernel's function. */
  old: string;
  /** The one that was written. */
  own: string;
}

/** @throws AUTHORED_SIGNATURE */
export function comparePrototypes({ at, old, own }: Held, kernel: BtfPrototype | undefined, written: BtfPrototype | undefined): void {
  if (kernel === undefined || written === undefined) return;
  const why = prototypeDifference(kernel, written);
  if (why === undefined) return;
  throw fail("AUTHORED_SIGNATURE", `${why}: ${textOf(old, kernel)} is the kernel's, ${textOf(own, written)} was written`, {
    file: at,
    symbol: own,
  });
}

/** @throws AUTHORED_SIGNATURE */
export function compareVariables({ at, old, own }: Held, kernel: BtfVariable | undefined, written: BtfVariable | undefined): void {
  if (kernel === undefined || written === undefined || sameShapeInKernel(written.shape, kernel.shape)) return;
  // `extern char name[];` says nothing of the length.
  if (/\[0\]$/.test(written.shape) && sameShapeInKernel(written.shape.replace(/\[0\]$/, ""), kernel.shape.replace(/\[\d+\]$/, ""))) return;
  throw fail("AUTHORED_SIGNATURE", `${own} is declared as ${written.type}; the kernel's ${old} is ${kernel.type}`, {
    file: at,
    symbol: own,
  });
}

/** Undefined if one can be called as the other. */
export function prototypeDifference(kernel: BtfPrototype, written: BtfPrototype): string | undefined {
  if (kernel.parameters.length !== written.parameters.length)
    return `it takes ${written.parameters.length} parameters, not ${kernel.parameters.length}`;
  for (const [i, parameter] of kernel.parameters.entries()) {
    const own = written.parameters[i];
    if (own === undefined || sameShapeInKernel(own.shape, parameter.shape)) continue;
    const name = own.name === "" ? parameter.name : own.name;
    return `parameter ${i + 1}${name === "" ? "" : ` (${name})`} is ${own.type}, not ${parameter.type}`;
  }
  if (!sameShapeInKernel(kernel.returnsShape, written.returnsShape)) return `it returns ${written.returns}, not ${kernel.returns}`;
  return kernel.variadic === written.variadic ? undefined : `it ${written.variadic ? "takes" : "does not take"} further arguments`;
}

function textOf(name: string, { returns, parameters, variadic }: BtfPrototype): string {
  const words = parameters.map((p) => (p.name === "" ? p.type : `${p.type}${p.type.endsWith("*") ? "" : " "}${p.name}`));
  if (variadic) words.push("...");
  return `${returns}${returns.endsWith("*") ? "" : " "}${name}(${words.length === 0 ? "void" : words.join(", ")})`;
}
