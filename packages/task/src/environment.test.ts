import { afterEach, expect, test, vi } from "vitest";
import { childEnvironment } from "./environment.ts";
import { run } from "./process.ts";
import { Task } from "./task.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

test.each([
  "CPATH",
  "C_INCLUDE_PATH",
  "COMPILER_PATH",
  "GCC_EXEC_PREFIX",
  "GCC_COMPARE_DEBUG",
  "DEPENDENCIES_OUTPUT",
  "MAKEFLAGS",
  "MAKEFILES",
  "KCFLAGS",
  "KAFLAGS",
  "KCPPFLAGS",
  "CFLAGS_MODULE",
  "KBUILD_EXTRA_SYMBOLS",
  "KBUILD_MODPOST_WARN",
  "ARCH",
  "CROSS_COMPILE",
  "LLVM",
  "LOCALVERSION",
])("%s does not reach a compiler", async (name) => {
  vi.stubEnv(name, "elsewhere");
  expect((await run(new Task(), ["env"])).stdout).not.toContain("elsewhere");
  // Said by the command it does.
  expect((await run(new Task(), ["env"], { env: { [name]: "elsewhere" } })).stdout).toContain(`${name}=elsewhere`);
});

test("all else does, in the one language", () => {
  const own = { PATH: "/bin", HOME: "/root", TMPDIR: "/x", http_proxy: "p", LANG: "de_DE", LC_ALL: "de_DE", ARCHIVE: "a", MY_KCFLAGS: "m" };
  expect(childEnvironment(own, { MORE: "1" })).toEqual({ ...own, LC_ALL: "C", MORE: "1" });
});
