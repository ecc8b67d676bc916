export { accountPage } from "./account/page.ts";
export type { KernelText } from "./review/code.ts";
export { type Reviewed, type ReviewPage, reviewPage } from "./review/page.ts";
