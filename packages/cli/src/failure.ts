/** What goes to stderr, or into the document, when a command does not do what was asked. */
import { placeText, SutureError } from "@suture/errors";
import { fail } from "./errors.ts";

/** Whatever was thrown, as an error with a code. */
export function sutureError(thrown: unknown): SutureError {
  if (thrown instanceof SutureError) return thrown;
  if (thrown instanceof Error && "syscall" in thrown && "code" in thrown) {
    const file = "path" in thrown && typeof thrown.path === "string" ? thrown.path : undefined;
    return fail("CLI_FILE", thrown.message, { file }, { cause: thrown });
  }
  return fail("CLI_INTERNAL", thrown instanceof Error ? thrown.message : String(thrown), {}, { cause: thrown });
}

export function failureText(error: SutureError, options: { verbose: boolean; colour: boolean }): string {
  const head = options.colour ? "\u001b[31merror\u001b[0m" : "error";
  const lines = [`${head} ${error.code}: ${error.message}`];
  const place = placeText(error.where);
  if (place !== "") lines.push(`  at: ${place}`);
  lines.push(`  do: ${error.mend}`);
  if (error.others.length > 0) lines.push("refused besides:");
  for (const { code, message, where } of error.others) {
    const at = placeText(where);
    lines.push(`  ${code}: ${message}`, ...(at === "" ? [] : [`    at: ${at}`]));
  }
  if (options.verbose || error.code === "CLI_INTERNAL") {
    if (error.cause instanceof Error && error.cause.stack !== undefined) lines.push(error.cause.stack);
  }
  return lines.join("\n");
}

/** 130 cancelled, 2 wrong usage, 3 nothing to do, else 1. */
export function exitCode(error: SutureError): number {
  if (error.code === "CANCELLED") return 130;
  if (error.code === "CLI_USAGE") return 2;
  return error.code === "BUILD_NOTHING_CHANGED" ? 3 : 1;
}
