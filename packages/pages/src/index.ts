export { accountPage } from "./account/page.ts";
export { type Content, type Html, html, when } from "./html.ts";
export type { KernelText } from "./review/code.ts";
export { type Reviewed, type ReviewPage, reviewPage } from "./review/page.ts";
export { STYLE } from "./style.ts";
