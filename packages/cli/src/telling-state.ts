/** A refusal of a command for the running machine says in which state the kernel is now. */
import { SutureError } from "@suture/errors";
import type { Run } from "./answer.ts";
import { sutureError } from "./failure.ts";

export function tellingState(run: Run): Run {
  return (work) =>
    run(async (task, ...words) => {
      try {
        return await work(task, ...words);
      } catch (thrown) {
        const { saysState, stateText, THIS_MACHINE } = await import("@suture/host");
        const { code, message, where, mend, cause } = sutureError(thrown);
        if (code === "CLI_USAGE" || saysState(message)) throw thrown;
        const end = /[.!?]$/.test(message) ? "" : ".";
        throw new SutureError(code, `${message}${end} ${stateText(THIS_MACHINE)}`, where, mend, cause);
      }
    });
}
