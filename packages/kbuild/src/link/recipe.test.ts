import { expect, test } from "vitest";
import { FOLDER, fromFolder, NAME } from "./recipe.ts";

test("files of the module's folder get whole paths, and nothing else of a command is changed", () => {
  const tree = "/cache/tree";
  const compile = (inside: string): string =>
    `gcc -Wp,-MMD,${inside === "" ? "./" : inside}.${NAME}.o.d -I${tree}/include -DKBUILD_BASENAME='"${NAME}.mod"' -D__KBUILD_MODNAME=${NAME} ` +
    `-c -o ${inside}${NAME}.mod.o ${inside}${NAME}.mod.c   ; ${tree}/tools/objtool/objtool --link ${inside}${NAME}.mod.o`;
  expect(fromFolder(compile(""))).toBe(compile(`${FOLDER}/`));
  const modpost = (inside: string): string => `modpost -o ${inside}Module.symvers -T ${inside}modules.order -i ${tree}/Module.symvers -e `;
  expect(fromFolder(modpost(""))).toBe(modpost(`${FOLDER}/`));
  const link = (inside: string): string => `ld -T ${tree}/m.lds -o ${inside}${NAME}.ko ${inside}${NAME}.o ${inside}.module-common.o`;
  expect(fromFolder(link(""))).toBe(link(`${FOLDER}/`));
});
