import { defineErrors } from "@suture/errors";

export const labErrors = defineErrors({
  LAB_QEMU_MISSING: {
    cause: "The emulator that runs the virtual machine is not installed.",
    mend: "apt-get install qemu-system-x86",
  },
  LAB_IMAGE: {
    cause: "What is to be booted in the virtual machine is no kernel's image as boot loaders take it.",
    mend: "Give the kernel's vmlinuz.",
  },
  LAB_BUSYBOX_MISSING: {
    cause: "The programs that run inside the virtual machine come from one static busybox, and there is none.",
    mend: "apt-get install busybox-static",
  },
  LAB_PROGRAM_MISSING: {
    cause: "A program of this machine that the virtual machine is to have is not installed.",
    mend: "Install the Debian package that holds it (`apt-file search bin/NAME`, packages.debian.org).",
  },
  LAB_FILE_UNREADABLE: {
    cause: "A kernel image, module or other file that the virtual machine needs cannot be read.",
    mend: "Check the path and its permissions.",
  },
  LAB_NOT_A_MODULE: {
    cause: "A file given as a kernel module has no module name in it.",
    mend: "Give the .ko file that the build made.",
  },
  LAB_MODULE_MISSING: {
    cause: "A module that was asked for, or that another one needs, is not in the kernel's module directory.",
    mend: "Check the name, and that the directory (lib/modules/RELEASE) belongs to the kernel.",
  },
  LAB_MODULE_REFUSED: {
    cause: "The kernel in the virtual machine did not take a module that was to be loaded at boot.",
    mend: "Read what the kernel said; the module directory must belong to the image.",
  },
  LAB_PROBES_FILE: {
    cause: "The file of --probes is not there, is no JSON, or not of the form that it must have.",
    mend: "docs/trials.md#in-a-file has the form; the message names the place.",
  },
  LAB_SETUP_FAILED: {
    cause: "A set-up command of a trial failed before the livepatch was loaded: it says nothing about the livepatch.",
    mend: "Read what it printed; the virtual machine has busybox, its modules must be asked for (--module).",
  },
  LAB_KEEP_UNSTEADY: {
    cause: "What is to be kept the same in a trial differs from one run to the next by itself, before any livepatch.",
    mend: "Take out of its output what changes by itself: times, counters, addresses (docs/trials.md#what-judges).",
  },
  LAB_PUT_FAILED: {
    cause: "A file could not be written inside the virtual machine.",
    mend: "Give the machine more memory: its files are kept there.",
  },
  LAB_NO_ROOM: {
    cause: "The virtual machine has no memory left, so that a command could not be run in it.",
    mend: "Have the commands leave less in the machine: its files are kept in its memory.",
  },
  LAB_HANG: {
    cause: "The virtual machine, or a command in it, gave no answer within its deadline and could not be interrupted.",
    mend: "Read the console's last lines. If the machine is only slow, give it a longer deadline.",
  },
  LAB_PANIC: {
    cause: "The kernel in the virtual machine panicked.",
    mend: "Read the console's last lines: they show where.",
  },
  LAB_LOST: {
    cause: "The virtual machine ended without being told to.",
    mend: "Read what QEMU printed, and look for whoever ended it (the kernel's out-of-memory killer logs what it kills).",
  },
  LAB_STOPPED: {
    cause: "A virtual machine that was already stopped was used again.",
    mend: "This is a mistake in the calling program: boot another one.",
  },
});

export const fail = labErrors.fail;
