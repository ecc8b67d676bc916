export { PARTIAL, writeAtomic, writeDurably } from "./atomic.ts";
export { linkDurably, makeFolderDurably, removeDurably, removeEmptyFolder, syncFolder } from "./durable.ts";
export { exists, mayUse } from "./exists.ts";
export { sha256, sha256OfFile } from "./hash.ts";
export { keepFile, keepJson, readKept } from "./kept-file.ts";
export { lockFile } from "./lock.ts";
export { oddIn } from "./plain-path.ts";
export { findProgram, onPath, programFolders, SBIN } from "./programs.ts";
export { literally, shellWord } from "./quote.ts";
