import { expect, test } from "vitest";
import { machineOf, patchFiles, WELL } from "../../test/tree.ts";
import { status } from "./status.ts";

const LIVEPATCH = "/sys/kernel/livepatch/fix";

/** Of kernels that have no file `patched`. */
async function patchedOf(enabled: boolean, transition: boolean): Promise<Record<string, boolean>> {
  const { [`${LIVEPATCH}/vmlinux/patched`]: _, ...files } = patchFiles("fix", enabled, transition, ["probe,1"]);
  const modules = { "/proc/modules": "here 1 0 - Live 0x0\n", [`${LIVEPATCH}/here/f,1/.here`]: "", [`${LIVEPATCH}/away/f,1/.here`]: "" };
  const { patches } = await status(machineOf({ ...WELL, ...files, ...modules }));
  return Object.fromEntries(patches.flatMap(({ objects }) => objects.map(({ name, patched }) => [name, patched])));
}

test("where the kernel does not say which objects are patched: those that are loaded, until the livepatch is out", async () => {
  const all = { vmlinux: true, here: true, away: false };
  expect(await patchedOf(true, false)).toEqual(all);
  expect(await patchedOf(true, true)).toEqual(all);
  expect(await patchedOf(false, true)).toEqual(all);
  expect(await patchedOf(false, false)).toEqual({ vmlinux: false, here: false, away: false });
});

test("where it says it, that holds", async () => {
  const files = { ...patchFiles("fix", true, false, ["probe,1"]), [`${LIVEPATCH}/vmlinux/patched`]: "0\n" };
  const { patches } = await status(machineOf({ ...WELL, ...files }));
  expect(patches[0]?.objects).toMatchObject([{ name: "vmlinux", loaded: true, patched: false }]);
});
