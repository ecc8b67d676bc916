/** x86-64 in QEMU: a PC. */
import type { Qemu } from "../qemu.ts";

export const qemu: Qemu = {
  program: "qemu-system-x86_64",
  package: "qemu-system-x86",
  machine: "pc",
  secureMachine: ["q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"],
  cpu: "max",
  append: [
    "console=ttyS0,115200",
    // Kernels that make fewer ports than are there would have no ttyS1.
    "8250.nr_uarts=4",
    // The test whether the timer interrupts arrive in time fails, with a panic, when the host is busy.
    "no_timer_check",
    // On one CPU the kernel would take its lock prefixes out, which is not the code of a real machine.
    "noreplace-smp",
    // A guest that hangs is asked where by an NMI: it answers with a panic and a trace. The watchdog that uses NMIs itself has to keep away.
    "unknown_nmi_panic",
    "nmi_watchdog=0",
  ],
  ports: ["ttyS0", "ttyS1"],
  interrupt: "nmi",
};
