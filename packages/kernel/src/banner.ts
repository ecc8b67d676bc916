/** The text of linux_banner: "Linux version RELEASE (BUILDER) (COMPILER, LINKER) VERSION". */
import { fail } from "./errors.ts";
import type { ImageLayout } from "./layout.ts";
import { isRelease } from "./release.ts";
import type { Storage } from "./storage.ts";
import type { SymbolTable } from "./symbols.ts";

const START = "Linux version ";
/** Four utsname fields and two tool versions fit many times. */
const LONGEST_BANNER = 2048;

/** @param release of the setup header, which the banner must give too; undefined if there was none */
export function readBanner(
  storage: Storage,
  layout: ImageLayout,
  symbols: SymbolTable,
  release: string | undefined,
  file: string,
): { banner: string; release: string } {
  const [symbol] = symbols.named("linux_banner");
  const section = symbol === undefined ? undefined : layout.sectionAt(symbol.address);
  if (symbol === undefined || section === undefined || section.nobits)
    throw fail("KERNEL_NO_BANNER", "linux_banner is not in the image", { file, symbol: "linux_banner" });
  const offset = symbol.address - section.address;
  const bytes = storage.read(section.offset + offset, Math.min(LONGEST_BANNER, section.size - offset));
  const where = { file, symbol: "linux_banner" };
  const end = bytes.indexOf(0);
  const banner = Buffer.from(bytes.subarray(0, Math.max(end, 0)))
    .toString("latin1")
    .trimEnd();
  const given = banner.startsWith(START) ? (banner.slice(START.length).split(" ", 1)[0] ?? "") : "";
  if (!isRelease(given)) throw fail("KERNEL_NO_BANNER", `linux_banner does not start with "${START}RELEASE"`, where);
  if (release !== undefined && given !== release)
    throw fail("KERNEL_NO_BANNER", `the banner is of ${given}, the setup header of ${release}`, where);
  return { banner, release: given };
}
