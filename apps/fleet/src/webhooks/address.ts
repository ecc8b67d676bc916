/** Where the server may send what it tells: nowhere inside of the operator's own networks, unless he has named them. */
import { lookup as lookUp } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { fail } from "../errors.ts";

/** This machine, networks of one's own, addresses that are nobody's, and those at which clouds keep secrets of a machine. */
const CLOSED: readonly (readonly [string, number, "ipv4" | "ipv6"])[] = [
  ["0.0.0.0", 8, "ipv4"],
  ["10.0.0.0", 8, "ipv4"],
  ["100.64.0.0", 10, "ipv4"],
  ["127.0.0.0", 8, "ipv4"],
  ["169.254.0.0", 16, "ipv4"],
  ["172.16.0.0", 12, "ipv4"],
  ["192.0.0.0", 24, "ipv4"],
  ["192.168.0.0", 16, "ipv4"],
  ["198.18.0.0", 15, "ipv4"],
  ["224.0.0.0", 3, "ipv4"],
  // Also those that stand for one of IPv4.
  ["::", 8, "ipv6"],
  ["64:ff9b::", 32, "ipv6"],
  ["2001::", 32, "ipv6"],
  ["2002::", 16, "ipv6"],
  ["fc00::", 7, "ipv6"],
  ["fe80::", 10, "ipv6"],
  ["fec0::", 10, "ipv6"],
  ["ff00::", 8, "ipv6"],
];

export class Addresses {
  // Of each family one: a list takes an address of IPv4 for its form in IPv6 as well.
  readonly #closed = { ipv4: new BlockList(), ipv6: new BlockList() };
  readonly #open = { ipv4: new BlockList(), ipv6: new BlockList() };

  /** @param open networks that are allowed all the same, as ADDRESS/BITS. @throws FLEET_USAGE */
  constructor(open: readonly string[]) {
    for (const [network, bits, family] of CLOSED) this.#closed[family].addSubnet(network, bits, family);
    for (const text of open) {
      const [, network = "", bits = ""] = /^([0-9a-fA-F.:]+)\/(\d{1,3})$/.exec(text) ?? [];
      const family = isIP(network);
      if (family === 0 || Number(bits) > (family === 4 ? 32 : 128)) throw fail("FLEET_USAGE", `${text} is no network such as 10.1.0.0/16`);
      const name = family === 4 ? "ipv4" : "ipv6";
      this.#open[name].addSubnet(network, Number(bits), name);
    }
  }

  mayBe(address: string): boolean {
    const family = isIP(address);
    if (family === 0) return false;
    const [, four] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
    if (four !== undefined) return this.mayBe(four);
    const name = family === 4 ? "ipv4" : "ipv6";
    return this.#open[name].check(address, name) || !this.#closed[name].check(address, name);
  }

  /** @throws FLEET_REQUEST */
  check(text: string): URL {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
      throw fail("FLEET_REQUEST", "an address that begins with https:// is needed, without a name or password in it");
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const isOpen = isIP(host) !== 0 && this.#isNamed(host);
    if (url.protocol === "http:" && !isOpen)
      throw fail(
        "FLEET_REQUEST",
        "without TLS it may only be an address of a network that the server was started with (--webhook-network)",
      );
    if (isIP(host) !== 0 && !this.mayBe(host)) throw closed(host);
    return url;
  }

  #isNamed(address: string): boolean {
    const name = isIP(address) === 4 ? "ipv4" : "ipv6";
    return this.#open[name].check(address, name);
  }

  /** What a name stands for at the moment is what is connected to: it is not asked for again in between. */
  readonly lookup: LookupFunction = (name, options, done) => {
    lookUp(name, { ...options, all: true }, (error, found) => {
      if (error !== null) return done(error, []);
      const wrong = found.find(({ address }) => !this.mayBe(address));
      if (wrong !== undefined) return done(closed(`${name} (${wrong.address})`), []);
      if (options.all === true) return done(null, found);
      const [first] = found;
      return first === undefined ? done(new Error(`${name} has no address`), []) : done(null, first.address, first.family);
    });
  };
}

const closed = (what: string): Error =>
  fail(
    "FLEET_REQUEST",
    `${what} is of a network that the server sends nothing to: it may be allowed when it is started (--webhook-network)`,
  );
