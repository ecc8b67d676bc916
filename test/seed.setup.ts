/**
 * The seed of every property test: a fixed one, so that the same commit passes or fails everywhere; another one by SUTURE_SEED
 * (a number, or `random`) is for looking further.
 */
import fc from "fast-check";

const wanted = process.env.SUTURE_SEED;
if (wanted !== "random") fc.configureGlobal({ seed: wanted === undefined ? 1 : Number(wanted) });
