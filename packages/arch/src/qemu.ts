/** A virtual machine for kernels of a processor, in QEMU's words. */
export interface Qemu {
  program: string;
  /** Debian's package that has it. */
  package: string;
  /** -machine and -cpu. */
  machine: string;
  /** The same with UEFI firmware, whose variables only the firmware itself may write: -machine, and what keeps others from them. */
  secureMachine: readonly [machine: string, ...more: string[]];
  cpu: string;
  /**
   * What a kernel is told that only this processor's know, with the console that its log goes to. Nothing here may change the code that the kernel
   * runs: that is what the processor asks for, as on a real machine.
   */
  append: readonly string[];
  /** The serial ports that -serial gives it, in /dev: the kernel's log has the first for itself. */
  ports: readonly [log: string, agent: string];
  /** What the monitor is told to have a guest that hangs say where. */
  interrupt: string;
}
