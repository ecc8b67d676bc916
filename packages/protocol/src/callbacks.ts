/** The members of struct klp_callbacks, in the order in which they run: what the livepatch core calls. The first may refuse. */
export const CALLBACKS = ["pre_patch", "post_patch", "pre_unpatch", "post_unpatch"] as const;

export type CallbackKind = (typeof CALLBACKS)[number];

/** One function may run for many objects of the kernel. @returns in the order of the list, with all objects of each */
export function byFunction(
  callbacks: readonly { kind: CallbackKind; name: string; owner: string }[],
): { kind: CallbackKind; name: string; owners: string[] }[] {
  const found = new Map<string, { kind: CallbackKind; name: string; owners: string[] }>();
  for (const { kind, name, owner } of callbacks) {
    const known = found.get(`${kind} ${name}`);
    if (known === undefined) found.set(`${kind} ${name}`, { kind, name, owners: [owner] });
    else known.owners.push(owner);
  }
  return [...found.values()];
}
