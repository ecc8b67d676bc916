/** The suites of Debian that have kernels, and in what they differ. */
import { thisArch } from "@suture/arch";

export interface Suite {
  name: string;
  /** Of the Debian that it is or becomes. The releases of its kernels hold it as debNUMBER, where `namesNumber` says so. */
  number: number;
  namesNumber: boolean;
  /** What it is made of: suites of the archive, and of the archive of security fixes. */
  main: readonly string[];
  security: readonly string[];
  /** The suite that has the compilers of its kernels, where that is another. */
  compilers?: string;
}

/** The newest first. */
export const SUITES: readonly Suite[] = [
  { name: "sid", number: 14, namesNumber: true, main: ["sid"], security: [] },
  { name: "forky", number: 14, namesNumber: true, main: ["forky", "forky-updates"], security: ["forky-security"] },
  { name: "trixie-backports", number: 13, namesNumber: true, main: ["trixie-backports"], security: [], compilers: "trixie" },
  { name: "trixie", number: 13, namesNumber: true, main: ["trixie", "trixie-updates"], security: ["trixie-security"] },
  { name: "bookworm", number: 12, namesNumber: false, main: ["bookworm", "bookworm-updates"], security: ["bookworm-security"] },
  { name: "bullseye", number: 11, namesNumber: false, main: ["bullseye", "bullseye-updates"], security: ["bullseye-security"] },
];

/** Kernels of all suites are of this component, and so is what they are built with. */
export const COMPONENT = "main";

export function suiteNamed(name: string): Suite | undefined {
  return SUITES.find((suite) => suite.name === name);
}

/** Those that may have a kernel of that release: none where it is no name of Debian's. */
export function suitesOf(release: string): Suite[] {
  if (!/^\d+\.\d+\.\d+[-+]/.test(release) || !release.endsWith(thisArch().debian.name)) return [];
  const number = /[+.]deb(\d+)/.exec(release)?.[1];
  return SUITES.filter((suite) => (number === undefined ? !suite.namesNumber : suite.number === Number(number)));
}
