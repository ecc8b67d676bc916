/** Addresses as an x86-64 kernel has them: tests write the values that its files hold. */
import { AddressSpace, type KernelAddress } from "../src/address.ts";

export const SPACE = new AddressSpace(-0x80000000);

export function at(value: number): KernelAddress {
  return SPACE.of(value);
}
