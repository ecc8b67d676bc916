/** A builder and a server that is ill: it says nothing for a while, or has no room. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Task } from "@suture/task";
import { expect, onTestFinished, test, vi } from "vitest";
import { silent } from "../../../test/silent.ts";
import { BuilderClient } from "./client.ts";
import { work } from "./worker.ts";

const ORDER = {
  ...{
    id: "0123456789ab",
    release: "6.1.0-1-amd64",
    buildId: "ab".repeat(20),
    targetRelease: "6.1.0-2-amd64",
    attempt: 1,
    beatSeconds: 1,
  },
  ...{ options: { take: [], leaveOut: [], acceptDoubt: [] }, hours: 1 },
};

async function serverThat(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function folderNew(): string {
  const folder = mkdtempSync(join(tmpdir(), "suture-worker-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("a server that has no room is told again, piece by piece: what was built is not given up", async () => {
  const got: string[] = [];
  const sizes: Record<string, number> = {};
  let refused = 0;
  const url = await serverThat((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://x");
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (refused++ < 2) {
        response.writeHead(507).end(JSON.stringify({ error: { code: "FLEET_ROOM", why: "full", mend: "room" } }));
        return;
      }
      got.push(`${pathname} ${searchParams.get("offset")}`);
      sizes[pathname] = (sizes[pathname] ?? 0) + Buffer.concat(chunks).length;
      response.end(JSON.stringify({ size: sizes[pathname] }));
    });
  });
  const file = join(folderNew(), "module");
  writeFileSync(file, Buffer.alloc(3 * 1024 * 1024));
  await new BuilderClient(url, "key").send(new Task(), ORDER, "module", file);
  expect(got.map((one) => one.split(" ")[1])).toEqual(["0", String(2 * 1024 * 1024)]);
  expect(refused).toBe(4);
});

test("a server that says nothing for long is not told all at once what it missed", async () => {
  let beats = 0;
  let ended = "";
  const held: (() => void)[] = [];
  let given = false;
  const url = await serverThat((request, response) => {
    const path = new URL(request.url ?? "", "http://x").pathname;
    let text = "";
    request.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on("end", () => {
      if (path.endsWith("/claim")) {
        response.end(JSON.stringify({ build: given ? null : ORDER }));
        given = true;
      } else if (path.endsWith("/beat")) {
        beats++;
        if (held.length === 0) held.push(() => response.end(JSON.stringify({ goesOn: true })));
        else response.end(JSON.stringify({ goesOn: true }));
      } else {
        if (path.endsWith("/end")) ended = text;
        response.end("{}");
      }
    });
  });
  const folder = folderNew();
  const suture = join(folder, "suture");
  writeFileSync(
    suture,
    `#!/bin/sh
case $1 in
kernels) echo '{"archive":[]}' ;;
*) sleep 1; echo '{"schema":"suture/error-1","error":{"code":"CATCHUP_NOTHING","why":"no","mend":"none"}}'; exit 1 ;;
esac
`,
  );
  chmodSync(suture, 0o755);
  const worked = work(
    new Task(),
    { client: new BuilderClient(url, "key"), suture: [suture], folder: join(folder, "work"), room: 0, once: true },
    silent,
  );
  // Six are due in this time.
  await vi.waitUntil(() => held.length > 0, { timeout: 30_000 });
  await new Promise((done) => setTimeout(done, 6500));
  expect(beats).toBe(1);
  held[0]?.();
  await worked;
  expect(beats).toBeLessThan(5);
  expect(JSON.parse(ended)).toMatchObject({ outcome: "refused", code: "CATCHUP_NOTHING" });
});
