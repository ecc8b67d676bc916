/** What has to be certain of a structure's objects, for each means that goes by them. */

export interface Rules {
  code: "BUILD_SHADOW_OBJECT" | "BUILD_HOLE";
  /** Of a use of a member. */
  use: "BUILD_SHADOW_USE" | "BUILD_HOLE";
  /** So many objects that know a structure are looked at, each several times. */
  most: number;
  /** Functions that give memory for objects. */
  allocators: RegExp;
  /** Each object is 0 where no member lies, from its beginning on: then it does not matter where it ends. Otherwise that has to be known. */
  cleared: boolean;
}

/** Members that lie beside their objects: one object each. */
export const BESIDE = {
  code: "BUILD_SHADOW_OBJECT",
  use: "BUILD_SHADOW_USE",
  most: 48,
  allocators: /^(?:k[mz]alloc|kv[mz]alloc|v[mz]alloc)(?:_node)?(?:_noprof)?$/,
  cleared: false,
} as const satisfies Rules;

/** Members that lie in padding. */
export const WITHIN = {
  code: "BUILD_HOLE",
  use: "BUILD_HOLE",
  most: 64,
  allocators: /^(?:(?:devm_)?k[mzc]alloc|devm_kmalloc_array|kmalloc_array|kv[mzc]alloc|kvmalloc_array|v[mzc]alloc)(?:_node)?(?:_noprof)?$/,
  cleared: true,
} as const satisfies Rules;

const CLEARING = /^(?:(?:devm_)?k[zc]alloc|kv[zc]alloc|v[zc]alloc|kmem_cache_zalloc)(?:_node)?(?:_noprof)?$/;

/** Whether what a call gives is 0. @param given what stands between its commas */
export function isCleared(name: string, given: readonly string[]): boolean {
  return CLEARING.test(name) || given.slice(1).some((one) => /^[\w\s|()]*\b__GFP_ZERO\b[\w\s|()]*$/.test(one));
}
