/** Which processor a kernel's image is for. */
import { open } from "node:fs/promises";
import { type Arch, archs } from "@suture/arch";
import { fail } from "./errors.ts";

/** Bytes that tell. */
const HEAD = 4096;

/** @throws LAB_IMAGE */
export async function archOfImage(path: string): Promise<Arch> {
  const file = await open(path);
  const head = new Uint8Array(HEAD);
  await file.read(head, 0, HEAD, 0).finally(() => file.close());
  const arch = archs.find(({ image }) => image.isBootImage(head));
  if (arch === undefined) throw fail("LAB_IMAGE", `it is no kernel for ${archs.map(({ name }) => name).join(" or ")}`, { file: path });
  return arch;
}
