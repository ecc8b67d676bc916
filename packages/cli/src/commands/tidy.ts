import { tidyDocument } from "@suture/protocol";
import type { AddCommand } from "../answer.ts";
import { headedText, partsText, safeText, tableText } from "../text.ts";

export const tidyCommand: AddCommand = (program, run) => {
  program
    .command("tidy")
    .description("keep no more what is for kernels that are gone from this machine; in doubt it is kept")
    .argument("[release]", "a kernel that was just removed: only what is kept for it")
    .action(
      run(async (task, release: string | undefined) => {
        const { THIS_MACHINE, tidy } = await import("@suture/host");
        const { dropped, kept, unreadable } = await tidy(task, THIS_MACHINE, release);
        for (const why of unreadable) task.reporter.warn(`cannot be read: ${why}`);
        const text = partsText([
          dropped.length === 0
            ? "nothing was dropped"
            : headedText(
                "dropped",
                tableText(
                  ["livepatch", "kernel"],
                  dropped.map((entry) => [entry.name, entry.release]),
                ),
              ),
          headedText(
            "kept",
            tableText(
              ["livepatch", "kernel", "why"],
              kept.map((entry) => [entry.name, entry.release, entry.why]),
            ),
          ),
        ]);
        return { document: tidyDocument.of({ dropped, kept, unreadable }), text: safeText(text) };
      }),
    );
};
