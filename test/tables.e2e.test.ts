/**
 * A table of constants that the running kernel holds by pointer (--accept-data, docs/means.md): what attributes a family of generic netlink takes. In, out,
 * in again while messages come all the time, of which none meets an entry by half.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KernelContext } from "@suture/kbuild";
import type { BuildOptions, Livepatch } from "@suture/pipeline";
import { Task } from "@suture/task";
import { bootWith, kernelOf, said } from "@suture/testkit/authoring";
import { buildEdits, type Edit } from "@suture/testkit/build-edits";
import { OWN } from "@suture/testkit/series";
import { staticProgram } from "@suture/testkit/static-program";
import { afterAll, beforeAll, expect, test } from "vitest";

const task = new Task();
const folder = mkdtempSync(join(tmpdir(), "suture-tables-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const GENL = "net/netlink/genetlink.c";
/** No family may be asked for by a number above the controller's own: how it is checked is one word of the entry, and by what is another. */
const LIMIT: readonly Edit[] = [
  [
    GENL,
    /(nla_policy ctrl_policy_family\[\] = \{\s+\[CTRL_ATTR_FAMILY_ID\]\s*= )\{ \.type = NLA_U16 \}/,
    "$1NLA_POLICY_MAX(NLA_U16, GENL_ID_CTRL)",
  ],
];
/** A function says whether a name is one: a word that is not there yet may not be called. */
const CHECKED: readonly Edit[] = [
  [
    GENL,
    /static const struct nla_policy ctrl_policy_family/,
    `static int ctrl_check_name(const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	return *(char *)nla_data(attr) == 'x' ? -EPERM : 0;
}

$&`,
  ],
  [
    GENL,
    /(nla_policy ctrl_policy_family\[\] = \{[^;]*?\[CTRL_ATTR_FAMILY_NAME\]\s*= )\{[^}]*\}/,
    "$1NLA_POLICY_VALIDATE_FN(NLA_NUL_STRING, ctrl_check_name, GENL_NAMSIZ - 1)",
  ],
];

const PROGRAM = `#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* Asks for a family so many times, by number or name: the errors, each once. */
int main(int argc, char **argv)
{
  struct { struct nlmsghdr head; struct genlmsghdr genl; struct nlattr attr; char value[32]; } ask = { 0 };
  struct { struct nlmsghdr head; struct nlmsgerr error; char more[8192]; } answer;
  int seen[256] = { 0 }, fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC), number = atoi(argv[1]);
  int size = number ? 2 : strlen(argv[1]) + 1;
  ask.attr.nla_type = number ? CTRL_ATTR_FAMILY_ID : CTRL_ATTR_FAMILY_NAME;
  ask.attr.nla_len = NLA_HDRLEN + size;
  if (number) *(unsigned short *)ask.value = number; else strcpy(ask.value, argv[1]);
  ask.head.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + NLA_ALIGN(ask.attr.nla_len);
  ask.head.nlmsg_type = GENL_ID_CTRL;
  ask.head.nlmsg_flags = NLM_F_REQUEST;
  ask.genl.cmd = CTRL_CMD_GETFAMILY;
  ask.genl.version = 2;
  for (int i = 0; i < atoi(argv[2]); i++) {
    if (send(fd, &ask, ask.head.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0) return 1;
    seen[answer.head.nlmsg_type == NLMSG_ERROR ? -answer.error.error & 255 : 0]++;
  }
  for (int i = 0; i < 256; i++) if (seen[i]) printf("%s\\n", i ? strerror(i) : "taken");
  return 0;
}
`;

let kernel: KernelContext;
beforeAll(async () => {
  kernel = await kernelOf(task, OWN);
}, 600_000);
afterAll(() => kernel?.close());

async function build(name: string, edits: readonly Edit[], more: Omit<Partial<BuildOptions>, "name"> = {}): Promise<Livepatch> {
  return buildEdits(task, kernel, { folder, name, edits, ...more });
}

/** All the time: what becomes of each is one and the same. */
const WORDS = `
ask_on() { (while [ ! -e /run/stop ]; do /m/ask $1 2000; done >/run/asked.$1) & }
ask_end() { touch /run/stop; wait; rm /run/stop; sort -u /run/asked.*; }
off() { echo 0 >/sys/kernel/livepatch/$1/enabled && settle; }
`;

test("what a family takes, by a table that it holds", async () => {
  const acceptData = ["ctrl_policy_family"];
  await expect(build("word", LIMIT)).rejects.toMatchObject({ code: "DIFF_RODATA_CHANGED" });
  const limit = await build("limit", LIMIT, { acceptData });
  expect(limit.manifest.live).toHaveLength(2);
  expect(limit.manifest).toMatchObject({
    functions: [],
    live: [
      { readOnly: true, holds: false },
      { readOnly: true, holds: false },
    ],
  });
  const checked = await build("checked", CHECKED, { acceptData });
  expect(checked.manifest.live).toMatchObject([{ holds: false }, { becomes: "ctrl_check_name", fills: true, holds: true }]);
  const guest = await bootWith(task, kernel, [limit, checked]);
  try {
    await guest.put("/m/ask", staticProgram(PROGRAM), 0o755);
    const look = "/m/ask 16 1; /m/ask 999 1; /m/ask nlctrl 1; /m/ask xx 1";
    const old = "taken\nNo such file or directory\ntaken\nNo such file or directory\n";
    expect(await said(guest, look)).toBe(old);
    const inAndOut = Array.from({ length: 3 }, () => "load livepatch-limit; /m/ask 999 1; unload livepatch_limit; /m/ask 999 1;").join(" ");
    expect(await said(guest, `${WORDS} ask_on 16; ask_on nlctrl; ${inAndOut} ask_end`)).toBe(
      `${"Numerical result out of range\nNo such file or directory\n".repeat(3)}taken\n`,
    );
    expect(await said(guest, `${WORDS} ask_on nlctrl; load livepatch-checked; ${look}; off livepatch_checked; ${look}; ask_end`)).toBe(
      `taken\nNo such file or directory\ntaken\nOperation not permitted\n${old}taken\n`,
    );
    expect(guest.events()).toEqual([]);
  } finally {
    await guest.stop();
  }
});
