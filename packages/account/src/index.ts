export { type AccountSources, accountOf, reportSha256, summaryOf, unitsOfCves } from "./account.ts";
export { changelogOfPackage } from "./changelog/of-package.ts";
export type { Change } from "./changelog/parse.ts";
export { type Changelog, readChangelog } from "./changelog/read.ts";
export { accountErrors } from "./errors.ts";
export { type CveRecord, type Records, readRecords } from "./records/read.ts";
export { readReport } from "./report.ts";
export { openVex, type VexOptions } from "./vex.ts";
