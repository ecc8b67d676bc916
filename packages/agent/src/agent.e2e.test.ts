/** The agent in a guest with a stock kernel, which follows a signed repository on a web server of its own. `qualify -- agent` has what goes wrong. */
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Task } from "@suture/task";
import { AgentGuest, States } from "@suture/testkit/agent-guest";
import { Yard } from "@suture/testkit/host-guest";
import { KERNELS } from "@suture/testkit/stock-kernel";
import { afterAll, beforeAll, expect, test } from "vitest";

let yard: Yard | undefined;
let guest: AgentGuest | undefined;
let folder: string | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "suture-agent-"));
  yard = await Yard.open(new Task(), KERNELS[0]);
});
afterAll(async () => {
  await guest?.stop();
  await yard?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

test("published, loaded, kept; the next one replaces it; a withdrawal takes it out; nothing comes back with a reboot", async () => {
  if (yard === undefined || folder === undefined) throw new Error("there is no guest");
  const states = new States(yard, join(folder, "repository"));
  states.add("host_cmdline");
  states.add("host_all", true);
  states.repository.withdraw("host_all");
  states.publish();
  const disk = await yard.makeDisk("follow");
  guest = await AgentGuest.boot(yard, states, disk, 1);
  const before = await guest.sh("cat /proc/cmdline");

  const first = await guest.agent("run");
  expect(first, JSON.stringify(first)).toMatchObject({
    code: 0,
    document: {
      done: [
        { what: "load", name: "host_cmdline", outcome: "done" },
        { what: "keep", name: "host_cmdline", outcome: "done" },
      ],
      present: [{ name: "host_cmdline", inEffect: true, kept: true }],
      repository: { reached: expect.any(String) },
    },
  });
  expect(await guest.sh("cat /proc/cmdline")).toBe("one");
  await guest.see(2);
  expect((await guest.agent("run")).document).toMatchObject({
    done: [
      { what: "load", name: "host_all" },
      { what: "keep", name: "host_all", outcome: "done" },
    ],
    present: [{ name: "host_all", inEffect: true, kept: true }],
    accepted: [{ name: "host_all", counter: 2 }],
  });
  expect(await guest.sh("cat /proc/cmdline; ls /var/lib/suture/patches/* | grep -v loading")).toBe("all\nhost_all.json\nhost_all.ko");

  expect(await guest.sh("cat /var/lib/suture/suture.prom")).toMatch(/^suture_agent_counter_accepted 2$/m);

  // As its unit does it: but for the folders of its state nothing can be written.
  await guest.see(3);
  await guest.agent("fetch");
  await guest.guest.put("/tmp/sealed", Buffer.from('mount --bind /run /run && mount -o remount,bind,ro / && exec "$@"\n'));
  const withdrawn = await guest.agent("apply", "unshare -m sh /tmp/sealed");
  expect(withdrawn.document).toMatchObject({
    done: [{ what: "take out", name: "host_all", outcome: "done" }],
    present: [],
    rebootWanted: [],
  });
  expect(await guest.sh("cat /proc/cmdline; grep host_ /proc/modules; ls -d /var/lib/suture/patches 2>/dev/null")).toBe(before);
  await guest.stop();

  guest = await AgentGuest.boot(yard, states, disk, 3);
  expect((await guest.suture("boot")).document.patches).toEqual([]);
  expect((await guest.agent("run")).document).toMatchObject({
    done: [],
    present: [],
    livepatches: [{ obstacle: "withdrawn" }, { obstacle: "older" }],
  });
});
