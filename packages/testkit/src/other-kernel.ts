/** A module that the kernel refuses because it is another one's. Not every Debian has a second kernel to take one from. */

const MAGIC = "vermagic=";
/** What says that a signature stands before it. */
const SIGNED = "~Module signature appended~\n";

/** The module as if it had been built for a kernel that knows one processor only. It is not signed: of what has changed the kernel would look at that first. */
export function ofAnotherKernel(module: Uint8Array): Buffer {
  const bytes = Buffer.from(module);
  const start = bytes.indexOf(MAGIC);
  const flag = bytes.indexOf(" SMP ", start);
  if (start < 0 || flag < 0 || bytes.indexOf(0, start) < flag) throw new Error("the module does not say which kernels it is for");
  bytes.write(" UP  ", flag);
  return bytes.toString("latin1").endsWith(SIGNED) ? bytes.subarray(0, -SIGNED.length) : bytes;
}
