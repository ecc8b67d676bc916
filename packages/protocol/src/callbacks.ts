/** The members of struct klp_callbacks, in the order in which they run: what the livepatch core calls. The first may refuse. */
export const CALLBACKS = ["pre_patch", "post_patch", "pre_unpatch", "post_unpatch"] as const;

export type CallbackKind = (typeof CALLBACKS)[number];
