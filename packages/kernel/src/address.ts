/**
 * Addresses of a kernel. One is the distance from its image's base, so that all of an image are small numbers, on every processor; made and
 * printed here only. What an ELF file or a linked field holds is a value, a plain signed Number: the two are never mixed up, the compiler sees to that.
 */

declare const kernelAddress: unique symbol;

/** A Number of its own type: any number can be made of it, but it of no number. */
export type KernelAddress = number & { readonly [kernelAddress]: true };

/** More bytes than an image has: KERNEL_IMAGE_SIZE and what lies behind it are smaller. */
const SPAN = 2 ** 31;

/** So many bytes behind the address, or before it. */
export function offsetBy(address: KernelAddress, bytes: number): KernelAddress {
  return (address + bytes) as KernelAddress;
}

/**
 * Two ranges of addresses mean something: the image, from its base on, and low ones, from 0 on, where some kernels link their per-cpu data, and
 * where numbers are that are no addresses. Low ones are far from the base, and far from all of the image.
 */
export class AddressSpace {
  /** The value of the image's base. */
  readonly base: number;

  constructor(base: number) {
    this.base = base;
  }

  /** The address of which a file or field holds the value. */
  of(value: number): KernelAddress {
    return (value - this.base) as KernelAddress;
  }

  /** What a file or field holds that refers to the address. */
  value(address: KernelAddress): number {
    return address + this.base;
  }

  /** By its distance from the base, as others have computed it. */
  at(distance: number): KernelAddress {
    return distance as KernelAddress;
  }

  isInImage(address: KernelAddress): boolean {
    return address >= 0 && address < SPAN;
  }

  /** Of per-cpu data that is linked at 0, or a number. */
  isLow(address: KernelAddress): boolean {
    return address + this.base >= 0;
  }

  /** Whether it is in one of the two ranges. */
  holds(address: KernelAddress): boolean {
    return this.isInImage(address) || (this.isLow(address) && address + this.base < SPAN);
  }

  /**
   * Where an address of the two ranges stands among them as the kernel sorts: the low ones before the image. 32 bits, of which the highest says which
   * of the ranges it is.
   */
  rank(address: KernelAddress): number {
    return this.isInImage(address) ? address + SPAN : address + this.base;
  }

  /** The address of that rank. */
  ranked(rank: number): KernelAddress {
    return (rank >= SPAN ? rank - SPAN : rank - this.base) as KernelAddress;
  }

  /** 64-bit hex. */
  hex(address: KernelAddress): string {
    return hex(this.value(address));
  }
}

/** Rank of the base, and one more than the highest. */
export const RANKS = { image: SPAN, end: 2 * SPAN } as const;

/** 64-bit hex of a value. */
export function hex(value: number): string {
  return `0x${BigInt.asUintN(64, BigInt(Math.trunc(value)))
    .toString(16)
    .padStart(16, "0")}`;
}
