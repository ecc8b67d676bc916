export { keepFile, keepJson, readKept } from "./kept-file.ts";
export { oddIn } from "./plain-path.ts";
export { onPath } from "./programs.ts";
