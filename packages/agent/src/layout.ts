/** What is where on the machine. */

export const CONFIGURATION = "/etc/suture/agent.json";
/** A person's own veto: while one of them is there, nothing is loaded and nothing is taken out. */
export const HOLDS = ["/etc/suture/hold", "/run/suture/hold"] as const;

/** Of root alone. */
export const FOLDER = "/var/lib/suture/agent";
export const MEMORY = `${FOLDER}/memory.json`;
/** What root believes; the one who fetches cannot write here. */
export const TRUST = `${FOLDER}/trust`;
/** Modules that are being tried, by their SHA-256. */
export const MODULES = `${FOLDER}/modules`;
export const REPORT = `${FOLDER}/report.json`;

/** One run at a time; fetching has a lock of its own. */
export const LOCK = "/run/suture/agent.lock";

/** Of the one who fetches. Root reads what is in it as it would read what a network sends. */
export const FETCHED = "/var/lib/suture-agent";
/** A part of the repository, in its own form: metadata, and the livepatches that this machine may want. */
export const MIRROR = `${FETCHED}/mirror`;
export const FETCH_TRUST = `${FETCHED}/trust`;
export const FETCH_REPORT = `${FETCHED}/fetch.json`;
export const FETCH_LOCK = `${FETCHED}/lock`;
