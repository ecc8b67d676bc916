/** What kernels for x86-64 say of faults. Source: arch/x86/kernel/traps.c, dumpstack.c, process_64.c, cet.c, mm/fault.c, mm/extable.c. */
import type { LogWords } from "../log-words.ts";

export const log: LogWords = {
  headlines: [
    ["oops", /^(?:general protection fault|invalid opcode|divide error|double fault|stack segment|int3|control protection).*\[#\d+\]/],
    ["oops", /^(?:traps: )?(?:PANIC: double fault|Missing ENDBR)/],
    ["warning", /^unchecked MSR access error/],
  ],
  within: [/#PF:|PGD /, /RIP:|RSP:|R[A-DS][XIP]:|R\d\d:/, /FS:|CS:|CR\d:|DR\d:|PKRU:/, /general protection|invalid opcode/],
};
