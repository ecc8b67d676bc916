/**
 * What the kernel finds at the end of a signed module: the contents, a PKCS#7 message, twelve bytes that say how long that is, and a mark.
 * Source: include/linux/module_signature.h and kernel/module_signature.c of the kernel.
 */
import { viewOf } from "@suture/elf";
import { fail } from "./errors.ts";

const MARK = Buffer.from("~Module signature appended~\n", "latin1");
/** struct module_signature: algo, hash, id_type, signer_len, key_id_len, three bytes of nothing, and the length as a big-endian number. */
const TRAILER = 12;
const AT = { idType: 2, length: 8 };
const PKEY_ID_PKCS7 = 2;

export interface Split {
  contents: Uint8Array;
  /** The PKCS#7 message; undefined if the module is not signed. */
  message: Uint8Array | undefined;
}

/** @throws SIGN_DAMAGED for one that the kernel refuses, even where it takes unsigned modules */
export function split(bytes: Uint8Array, file: string): Split {
  const markAt = bytes.length - MARK.length;
  if (markAt < 0 || !MARK.equals(bytes.subarray(markAt))) return { contents: bytes, message: undefined };
  const trailerAt = markAt - TRAILER;
  if (trailerAt < 0) throw fail("SIGN_DAMAGED", "there is nothing but the mark", { file });
  const trailer = Buffer.from(bytes.subarray(trailerAt, markAt));
  const length = viewOf(trailer, "big").u32(AT.length);
  if (trailer.some((byte, at) => at < AT.length && byte !== (at === AT.idType ? PKEY_ID_PKCS7 : 0)))
    throw fail("SIGN_DAMAGED", `what stands before the mark is not of a PKCS#7 signature: ${trailer.toString("hex")}`, {
      file,
      offset: trailerAt,
    });
  if (length >= trailerAt)
    throw fail("SIGN_DAMAGED", `its signature would have ${length} bytes; ${trailerAt} are there`, { file, offset: trailerAt });
  return { contents: bytes.subarray(0, trailerAt - length), message: bytes.subarray(trailerAt - length, trailerAt) };
}

export function join(contents: Uint8Array, message: Uint8Array): Buffer {
  const trailer = Buffer.alloc(TRAILER);
  trailer[AT.idType] = PKEY_ID_PKCS7;
  viewOf(trailer, "big").setU32(AT.length, message.length);
  return Buffer.concat([contents, message, trailer, MARK]);
}
