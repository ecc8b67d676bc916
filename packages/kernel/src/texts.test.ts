import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeOf } from "../test/errors.ts";
import { KernelConfig } from "./config.ts";
import { parseSymvers } from "./symvers.ts";

describe("KernelConfig", () => {
  const text = [
    "#",
    "# Linux/x86 9.8.7 Kernel Configuration",
    "CONFIG_LIVEPATCH=y",
    "CONFIG_EXT4_FS=m",
    "CONFIG_HZ=250",
    'CONFIG_BUILD_SALT="9.8.7-test"',
    'CONFIG_CMDLINE=""',
    'CONFIG_TEXT="a \\"b\\" \\\\c"',
    "# CONFIG_KCSAN is not set",
    "",
  ].join("\n");

  it("reads what kconfig writes", () => {
    const config = KernelConfig.parse(text, ".config");
    const names = ["LIVEPATCH", "EXT4_FS", "HZ", "BUILD_SALT", "CMDLINE", "TEXT", "KCSAN", "NOWHERE"];
    expect(names.map((name) => config.get(`CONFIG_${name}`))).toEqual([
      "y",
      "m",
      "250",
      "9.8.7-test",
      "",
      'a "b" \\c',
      undefined,
      undefined,
    ]);
    expect(names.filter((name) => config.enabled(`CONFIG_${name}`))).toEqual(["LIVEPATCH", "EXT4_FS"]);
  });

  it("refuses other lines", () => {
    for (const line of ["LIVEPATCH=y", "CONFIG_X", 'CONFIG_X="a', 'CONFIG_X="a"b"', 'CONFIG_X=a"', "CONFIG_X =y"])
      expect(codeOf(() => KernelConfig.parse(`CONFIG_A=y\n${line}\n`, ".config"))).toBe("KERNEL_BAD_CONFIG");
  });
});

describe("parseSymvers", () => {
  it("reads what modpost writes", () => {
    const text = [
      "0x7fc4e3d1\tvfs_read\tvmlinux\tEXPORT_SYMBOL_GPL\t",
      "0xfe5d4bb2\tsys_tz\tvmlinux\tEXPORT_SYMBOL\t",
      "0x00000001\tdma_buf_get\tdrivers/dma-buf/dma-buf\tEXPORT_SYMBOL_GPL\tDMA_BUF",
      "0x0\told\tvmlinux\tEXPORT_SYMBOL",
      "",
    ].join("\n");
    expect([...parseSymvers(text, "Module.symvers").values()]).toEqual([
      { name: "vfs_read", crc: 0x7fc4e3d1, module: "vmlinux", gpl: true, namespace: "" },
      { name: "sys_tz", crc: 0xfe5d4bb2, module: "vmlinux", gpl: false, namespace: "" },
      { name: "dma_buf_get", crc: 1, module: "drivers/dma-buf/dma-buf", gpl: true, namespace: "DMA_BUF" },
      { name: "old", crc: 0, module: "vmlinux", gpl: false, namespace: "" },
    ]);
  });

  it("refuses other lines and a symbol that comes twice", () => {
    const good = "0x7fc4e3d1\tvfs_read\tvmlinux\tEXPORT_SYMBOL_GPL\t";
    for (const line of [
      good,
      "vfs_write",
      "0x123456789\ta\tvmlinux\tEXPORT_SYMBOL\t",
      "0x1 a vmlinux EXPORT_SYMBOL",
      "0x1\ta\tvmlinux\tEXPORT\t",
    ])
      expect(codeOf(() => parseSymvers(`${good}\n${line}\n`, "Module.symvers"))).toBe("KERNEL_BAD_SYMVERS");
  });

  it("ends on any text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect([undefined, "KERNEL_BAD_SYMVERS"]).toContain(codeOf(() => parseSymvers(text, "x")));
      }),
    );
  });
});
