/** Firmware of a virtual machine that starts signed kernels only: OVMF, with variables that are written into its file before it starts. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { viewOf } from "@suture/elf";
import type { BootOptions } from "@suture/lab";

const OVMF = "/usr/share/OVMF";
const GUID = {
  store: "aaf32c78-947b-439a-a180-2e144ec37792",
  global: "8be4df61-93ca-11d2-aa0d-00e098032b8c",
  database: "d719b2cb-3d3a-4596-a3bc-dad00e67656f",
  secureBootEnable: "f0a30bc7-af08-4556-99c4-001009c93a44",
  shim: "605dab50-e046-4300-abb6-3dd810dd8b23",
  x509: "a5c059a1-94e4-4aa7-87b5-ab155c2bf072",
  /** Of who enters keys: any will do. */
  owner: "5d7a3f0c-52f1-4c58-9a53-2f8e6a1b7c40",
};
const KEPT = 0x1;
const AT_START = 0x2;
const AT_RUN_TIME = 0x4;
const AUTHENTICATED = 0x20;
/** EFI_FIRMWARE_VOLUME_HEADER.HeaderLength, VARIABLE_STORE_HEADER, AUTHENTICATED_VARIABLE_HEADER. */
const VOLUME = { headerLength: 48 };
const STORE = { size: 16, header: 28 };
const VARIABLE = { header: 60, state: 2, attributes: 4, nameSize: 36, dataSize: 40, vendor: 44 };
const START = 0x55aa;
const ADDED = 0x3f;

/** As UEFI writes it: the first three parts are numbers, the others bytes. */
function guid(text: string): Buffer {
  const [a = "", b = "", c = "", ...rest] = text.split("-");
  const reversed = (hex: string): Buffer => Buffer.from(hex, "hex").reverse();
  return Buffer.concat([reversed(a), reversed(b), reversed(c), Buffer.from(rest.join(""), "hex")]);
}

function signatureList(certificate: Uint8Array): Buffer {
  const head = Buffer.alloc(28);
  guid(GUID.x509).copy(head);
  const view = viewOf(head, "little");
  view.setU32(16, head.length + 16 + certificate.length);
  view.setU32(24, 16 + certificate.length);
  return Buffer.concat([head, guid(GUID.owner), certificate]);
}

function variable(name: string, vendor: string, attributes: number, data: Uint8Array): Buffer {
  const text = Buffer.from(`${name}\0`, "utf16le");
  const head = Buffer.alloc(VARIABLE.header);
  const view = viewOf(head, "little");
  view.setU32(0, START | (ADDED << 16));
  view.setU32(VARIABLE.attributes, attributes);
  view.setU32(VARIABLE.nameSize, text.length);
  view.setU32(VARIABLE.dataSize, data.length);
  guid(vendor).copy(head, VARIABLE.vendor);
  const whole = Buffer.concat([head, text, data]);
  return Buffer.concat([whole, Buffer.alloc(-whole.length & 3, 0xff)]);
}

/** The empty store of OVMF, with these variables in it. */
function filled(variables: readonly Buffer[]): Buffer {
  const file = readFileSync(join(OVMF, "OVMF_VARS_4M.fd"));
  const view = viewOf(file, "little");
  const store = view.u32(VOLUME.headerLength) & 0xffff;
  if (!file.subarray(store, store + 16).equals(guid(GUID.store))) throw new Error("OVMF's variables are of another form");
  let at = store + STORE.header;
  while ((view.u32(at) & 0xffff) === START) {
    at += VARIABLE.header + view.u32(at + VARIABLE.nameSize) + view.u32(at + VARIABLE.dataSize);
    at = (at + 3) & ~3;
  }
  const added = Buffer.concat(variables);
  if (at + added.length > store + view.u32(store + STORE.size)) throw new Error("the variables do not fit");
  added.copy(file, at);
  return file;
}

/** The certificates that go along with the signature of a kernel image, in DER. Source: the PE format's certificate table. */
export function signersOfImage(image: string, folder: string): Uint8Array[] {
  const bytes = readFileSync(image);
  const view = viewOf(bytes, "little");
  const optional = view.u32(0x3c) + 24;
  // PE32+; the fifth directory is in bytes of the file.
  const [at, size] = [view.u32(optional + 112 + 4 * 8), view.u32(optional + 112 + 4 * 8 + 4)];
  if (at === 0 || size < 8) throw new Error(`${image} is not signed`);
  const message = join(folder, "image.p7");
  writeFileSync(message, bytes.subarray(at + 8, at + view.u32(at)));
  const printed = execFileSync("openssl", ["pkcs7", "-inform", "DER", "-in", message, "-print_certs"], { encoding: "utf8" });
  return [...printed.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g)].map(([, text = ""]) =>
    Buffer.from(text, "base64"),
  );
}

/**
 * @param trusted certificates in DER whose signatures the firmware takes, of kernels as of programs; Debian's kernel takes those for modules as well
 * @param folder for the variables, a file that the machine writes to
 * @param enrolled by the machine's owner (MOK): in the variable in which shim hands them on to the kernel. The firmware does not know them
 */
export function secureBoot(
  trusted: readonly Uint8Array[],
  folder: string,
  enrolled: readonly Uint8Array[],
): NonNullable<BootOptions["firmware"]> {
  const [owner] = trusted;
  if (owner === undefined) throw new Error("nobody is trusted");
  const everywhere = KEPT | AT_START | AT_RUN_TIME | AUTHENTICATED;
  const variables = join(folder, "variables.fd");
  writeFileSync(
    variables,
    filled([
      variable("PK", GUID.global, everywhere, signatureList(owner)),
      variable("KEK", GUID.global, everywhere, signatureList(owner)),
      variable("db", GUID.database, everywhere, Buffer.concat(trusted.map(signatureList))),
      variable("SecureBootEnable", GUID.secureBootEnable, KEPT | AT_START, Uint8Array.of(1)),
      variable("MokListRT", GUID.shim, KEPT | AT_START | AT_RUN_TIME, Buffer.concat(enrolled.map(signatureList))),
    ]),
  );
  return { code: join(OVMF, "OVMF_CODE_4M.secboot.fd"), variables };
}
