/** On this machine, whatever it is: what is asked needs no rights. */

import { documentIn } from "@suture/testkit/document";
import { expect, test } from "vitest";
import { runCli } from "../cli.ts";

test("status --watch --json prints a document a line, and ends well when it is interrupted", async () => {
  const controller = new AbortController();
  let stdout = "";
  const code = await runCli(["status", "--watch", "--json"], {
    stdout: {
      write: (text) => {
        stdout += text;
        setTimeout(() => controller.abort(), 100);
      },
    },
    stderr: { write: () => {} },
    signal: controller.signal,
    env: {},
  });
  expect(code).toBe(0);
  const [first = "", ...more] = stdout.trimEnd().split("\n");
  expect(documentIn(first)).toMatchObject({ kernel: { release: expect.any(String) }, patches: expect.any(Array) });
  expect(more).toEqual([]);
});

test("a refusal of what would change the machine says in which state the kernel is", async () => {
  let stdout = "";
  const code = await runCli(["load", "/nowhere/x.ko", "--json"], {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: () => {} },
    signal: new AbortController().signal,
    env: {},
  });
  expect(code).toBe(1);
  expect(documentIn(stdout).error).toMatchObject({ code: "CLI_FILE", why: expect.stringContaining(" Now: ") });
});
