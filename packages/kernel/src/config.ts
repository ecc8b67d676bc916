/** A kernel's configuration as kconfig writes it (.config, /boot/config-RELEASE). */
import { fail } from "./errors.ts";

export class KernelConfig {
  readonly #values: ReadonlyMap<string, string>;

  private constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  /** @param file the name that errors carry. @throws KERNEL_BAD_CONFIG */
  static parse(text: string, file: string): KernelConfig {
    const values = new Map<string, string>();
    let line = 0;
    for (const written of text.split("\n")) {
      line++;
      const trimmed = written.trim();
      if (trimmed === "" || trimmed.startsWith("#")) continue;
      const match = /^(CONFIG_[A-Za-z0-9_]+)=(.*)$/.exec(trimmed);
      const value = match?.[2] === undefined ? undefined : plain(match[2]);
      if (match?.[1] === undefined || value === undefined)
        throw fail("KERNEL_BAD_CONFIG", `line ${line} is not OPTION=VALUE: ${trimmed.slice(0, 80)}`, { file });
      values.set(match[1], value);
    }
    return new KernelConfig(values);
  }

  /** The value of an option (named with CONFIG_): "y", "m", a number or the text of a string. Undefined if it is not set. */
  get(option: string): string | undefined {
    return this.#values.get(option);
  }

  /** The options that two configurations have otherwise, sorted. An empty text is as good as none. */
  differences(other: KernelConfig): string[] {
    const names = new Set([...this.#values.keys(), ...other.#values.keys()]);
    return [...names].filter((name) => (this.get(name) ?? "") !== (other.get(name) ?? "")).sort();
  }

  /** Whether the option is built in or a module. */
  enabled(option: string): boolean {
    const value = this.#values.get(option);
    return value === "y" || value === "m";
  }
}

/** A value without its quotes; undefined if they do not match. */
function plain(value: string): string | undefined {
  if (!value.startsWith('"')) return value.includes('"') ? undefined : value;
  return /^"(?:[^"\\]|\\.)*"$/.test(value) ? value.slice(1, -1).replace(/\\(.)/g, "$1") : undefined;
}
