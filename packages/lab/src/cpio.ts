/**
 * Writes a cpio archive in the "newc" form, the one that the kernel unpacks as its initramfs.
 * Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
 */

/** One member. Paths are relative, without a leading slash. */
export type CpioEntry =
  | { kind: "directory"; path: string; mode: number }
  | { kind: "file"; path: string; mode: number; data: Uint8Array }
  | { kind: "link"; path: string; target: string }
  | { kind: "device"; path: string; mode: number; major: number; minor: number };

const S_IFCHR = 0o020000;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const HEADER_SIZE = 110;
const TRAILER = "TRAILER!!!";

/** The archive of these entries in this order. Equal entries give equal bytes: owners and times are 0. */
export function writeCpio(entries: readonly CpioEntry[]): Buffer {
  const members = entries.map((entry, index) => member(index + 1, entry));
  const trailer = { ino: 0, mode: 0, name: TRAILER, data: new Uint8Array(0), major: 0, minor: 0 };
  return Buffer.concat([...members, trailer].flatMap(written));
}

function member(ino: number, entry: CpioEntry): Member {
  const plain = { ino, name: entry.path, data: new Uint8Array(0), major: 0, minor: 0 };
  switch (entry.kind) {
    case "directory":
      return { ...plain, mode: S_IFDIR | entry.mode };
    case "file":
      return { ...plain, mode: S_IFREG | entry.mode, data: entry.data };
    case "link":
      return { ...plain, mode: S_IFLNK | 0o777, data: Buffer.from(entry.target) };
    case "device":
      return { ...plain, mode: S_IFCHR | entry.mode, major: entry.major, minor: entry.minor };
  }
}

interface Member {
  ino: number;
  mode: number;
  name: string;
  data: Uint8Array;
  major: number;
  minor: number;
}

function written({ ino, mode, name, data, major, minor }: Member): Buffer[] {
  const nameBytes = Buffer.from(`${name}\0`);
  const nlink = (mode & S_IFDIR) === S_IFDIR ? 2 : 1;
  // ino, mode, uid, gid, nlink, mtime, filesize, device (2), rdevice (2), namesize, check.
  const fields = [ino, mode, 0, 0, nlink, 0, data.length, 0, 0, major, minor, nameBytes.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`, "latin1");
  // Header and name together, then the data, are each filled up to 4 bytes.
  const content = Buffer.from(data.buffer, data.byteOffset, data.length);
  return [header, nameBytes, filling(HEADER_SIZE + nameBytes.length), content, filling(data.length)];
}

function filling(length: number): Buffer {
  return Buffer.alloc(-length & 3);
}
