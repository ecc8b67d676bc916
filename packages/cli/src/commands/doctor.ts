import type { Diagnosis } from "@suture/host";
import type { AddCommand } from "../answer.ts";
import { safeText } from "../text.ts";

export const doctorCommand: AddCommand = (program, run) => {
  program
    .command("doctor")
    .description("what this machine can do with livepatches and what it cannot, with the command that mends each")
    .action(
      run(async (task) => {
        const { doctor, THIS_MACHINE } = await import("@suture/host");
        const found = await doctor(task, THIS_MACHINE);
        return { document: found, text: safeText(doctorText(found)), code: found.some(({ outcome }) => outcome === "bad") ? 1 : 0 };
      }),
    );
};

function doctorText(found: readonly Diagnosis[]): string {
  const width = Math.max(...found.map(({ what }) => what.length));
  return found
    .map(({ what, outcome, found: text, mend }) => {
      const line = `${outcome.padEnd(8)} ${what.padEnd(width)}  ${text}`;
      return mend === "" ? line : `${line}\n${" ".repeat(width + 11)}do: ${mend}`;
    })
    .join("\n");
}
