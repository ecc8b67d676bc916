import { expect, test } from "vitest";
import { Addresses } from "./address.ts";

const closed = new Addresses([]);
const refused = { code: "FLEET_REQUEST" };

test.each([
  "127.0.0.1",
  "169.254.169.254",
  "10.1.2.3",
  "172.31.0.1",
  "192.168.1.1",
  "100.100.100.200",
  "0.0.0.0",
  "255.255.255.255",
  "::1",
  "::",
  "::ffff:169.254.169.254",
  "::ffff:a9fe:a9fe",
  "::a9fe:a9fe",
  "64:ff9b::a9fe:a9fe",
  "2002:a9fe:a9fe::",
  "fd00:ec2::254",
  "fe80::1",
])("nothing is sent to %s", (address) => {
  expect(closed.mayBe(address)).toBe(false);
  const host = address.includes(":") ? `[${address}]` : address;
  expect(() => closed.check(`https://${host}/`)).toThrow(expect.objectContaining(refused));
});

test("other forms of an address are the same address, and a name in an address, another scheme or no TLS is refused", () => {
  for (const text of ["https://0x7f000001/", "https://2130706433/", "https://0177.0.0.1/", "https://127.1/"])
    expect(() => closed.check(text), text).toThrow(expect.objectContaining(refused));
  for (const text of ["http://example.org/", "ftp://example.org/", "file:///etc/passwd", "https://a:b@example.org/", "no address", ""])
    expect(() => closed.check(text), text).toThrow(expect.objectContaining(refused));
  expect(closed.check("https://example.org/hook?x=1").href).toBe("https://example.org/hook?x=1");
  expect(closed.check("https://93.184.216.34/").hostname).toBe("93.184.216.34");
});

test("what was named when the server was started is allowed, and nothing beside it", () => {
  const some = new Addresses(["10.1.0.0/16", "fd12::/16"]);
  expect(some.mayBe("10.1.2.3")).toBe(true);
  expect(some.mayBe("::ffff:10.1.2.3")).toBe(true);
  expect(some.mayBe("fd12::1")).toBe(true);
  expect(some.mayBe("10.2.2.3")).toBe(false);
  expect(some.mayBe("169.254.169.254")).toBe(false);
  expect(some.check("http://10.1.2.3/").port).toBe("");
  for (const text of ["10.1.0.0", "10.1.0.0/33", "example.org/8", "x"])
    expect(() => new Addresses([text]), text).toThrow(expect.objectContaining({ code: "FLEET_USAGE" }));
});

test("a name that stands for an address in there is refused when it is asked for, which is what is connected to", async () => {
  const asked = (addresses: Addresses) =>
    new Promise<unknown>((done) => addresses.lookup("localhost", { all: true }, (error, found) => done(error ?? found)));
  expect(await asked(closed)).toMatchObject(refused);
  expect(await asked(new Addresses(["127.0.0.0/8", "::1/128"]))).toEqual(expect.arrayContaining([expect.objectContaining({ family: 4 })]));
});
