/** Examples of each command: shown below its help and in its manual page. A test holds them against the program's definitions. */

/** A command line without `suture`, and what it is for. */
export type Example = readonly [line: string, what: string];

const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  kernels: [
    ["kernels", "what is here, and the newest of each suite, series and flavour"],
    ["kernels --suite trixie --flavour cloud-amd64", "of one suite all that can be built for"],
  ],
  build: [
    ["build fix.patch --kernel 6.1.0-56-cloud-amd64", "livepatch-fix.ko for that kernel"],
    ["build one.patch two.patch --upon livepatch-old.ko --name all", "all of an older livepatch and two fixes more, in its place"],
    ["build fix.patch --tree /usr/src/linux --image /boot/vmlinuz", "for a kernel that was built by hand"],
    ["build --rebuild fs/pipe.o --kernel 6.1.0-56-cloud-amd64", "functions replaced by themselves"],
  ],
  "catch-up": [
    ["catch-up --kernel 6.1.0-54-cloud-amd64 --to newest", "all that the newest release has and a livepatch can carry, and a report"],
    ["catch-up --git linux --range v6.1.190..v6.1.192 --only cve", "commits that name a CVE, and what they need"],
  ],
  extract: [["extract fs/pipe.c:pipe_read -o fix.c --kernel 6.1.0-56-cloud-amd64", "a C file to write a livepatch in"]],
  prove: [
    ["prove fs/pipe.c --kernel 6.1.0-56-cloud-amd64", "one object"],
    ["prove --sample 100", "a hundred objects of the running kernel"],
  ],
  try: [
    ["try fix.patch --kernel 6.1.0-56-cloud-amd64 --probe 'head -1 /proc/meminfo'", "built, loaded in a virtual machine, looked at"],
    ["try fix.patch --check 'grep -q fixed /proc/meminfo' --keep 'cat /proc/filesystems'", "judged by what it mends, and what must stay"],
    ["try fix.patch --probes probes.json --module-order both", "the modules that it is for are there first, and come after it"],
    ["try livepatch-fix.ko", "a module that is there already"],
  ],
  diff: [
    ["diff old.o new.o -o changed.o --btf /boot/vmlinuz", "what changed, as an object"],
    ["diff old.o new.o --entry-size .altinstructions=14", "what changed, of objects without types"],
  ],
  inspect: [["inspect livepatch-fix.ko", "also of livepatches that others built"]],
  review: [
    [
      "review livepatch-fix.ko --kernel 6.1.0-56-cloud-amd64",
      "livepatch-fix.html, with the instructions of that kernel beside the new ones",
    ],
    ["review livepatch-fix.ko --keep folder -o page.html", "with those that build --keep folder kept"],
  ],
  sign: [
    ["sign livepatch-fix.ko --key signer.pem --cert signer.der", "for a kernel that takes signed modules only"],
    ["sign livepatch-fix.ko --key 'pkcs11:object=signer' --cert signer.der -o signed.ko", "with a key that a device keeps"],
  ],
  account: [
    [
      "account livepatch-catch-up.json --changelog linux-image.deb --page account.html",
      "CVE by CVE, from the changelog of the newer release's package",
    ],
    [
      "account livepatch-catch-up.json --changelog changelog.gz --cve-data vulns --vex kernel.vex.json",
      "with the CVE records of the kernel, for a scanner",
    ],
  ],
  load: [["load livepatch-fix.ko --timeout 120 --on-timeout wait", "two minutes, and then waited on"]],
  unload: [["unload livepatch_fix", "out of effect and out of the kernel"]],
  replace: [["replace livepatch-all.ko", "in place of all others"]],
  install: [["install livepatch-fix.ko --settle 600", "a machine that goes down within ten minutes does not load it again"]],
  tidy: [["tidy", "also done by the packages whenever a kernel is installed or removed"]],
  status: [["status --watch --json", "a document a line, whenever something changes"]],
  doctor: [["doctor --kernel 6.1.0-56-cloud-amd64", "what is missing to build for that kernel"]],
  agent: [
    ["agent run", "one run, as root: what the timer's two units do, one after the other"],
    ["agent status --json", "what the last run did, and why nothing more"],
    ["agent probe web", "whether the configuration's probe of that name is well"],
    ["agent retry livepatch_fix", "a person has looked: it may be loaded again"],
  ],
  fleet: [
    ["fleet login https://fleet.example.org/ --key-file key", "which server is asked, and as whom"],
    ["fleet hosts --status silent --json", "machines that were not heard of"],
    ["fleet keep-ready on", "livepatches to the newest of each series are built for what the machines run"],
    ["fleet build 6.1.0-54-cloud-amd64 --why 'it is read by hand'", "one for that kernel, once"],
    ["fleet hold fix-7 --why 'the database is slow'", "nothing more is loaded by it, within minutes"],
  ],
  repo: [
    ["repo key new keys/ada", "keys/ada.key, under a passphrase, and keys/ada.pub, for the repository"],
    [
      "repo init repository --fleet acme --holders root=2:ada.pub,bob.pub,cyd.pub --holders patches=2:dan.pub,eva.pub --holders policy=1:olga.pub --holders withdrawal=1:walt.pub --holders snapshot=1:online.pub --holders timestamp=1:online.pub",
      "who holds which role, and how many of them it takes",
    ],
    ["repo add repository livepatch-fix.ko --review livepatch-fix.html", "the next release of its kernel line"],
    ["repo sign repository --key keys/dan.key", "shows what dan would sign, and its digest"],
    ["repo sign repository --key keys/dan.key --read 5f0c1d", "signs it, if it is still what was read"],
    [
      "repo policy repository --roll-out fix --livepatch livepatch_fix --ring canary=100 --ring all=1 --window mon,tue,22:00-04:00,utc",
      "who takes it",
    ],
    ["repo policy repository --roll-out fix --hold", "nobody more takes it"],
    ["repo withdraw repository livepatch_fix --action disable --reason 'pipes hang'", "it goes out of effect"],
    ["repo publish repository /srv/www/patches --key keys/online.key", "what is signed by enough, for machines to see"],
    ["repo mirror https://patches.example.org /srv/mirror --root 1.root.json", "verified, and copied"],
    ["repo status repository", "what expires when, and who has not signed"],
  ],
  completion: [
    ["completion bash", "goes to /etc/bash_completion.d/suture, for all users of bash"],
    ["completion fish", "goes to ~/.config/fish/completions/suture.fish"],
    ["completion zsh", "goes to a file _suture in a folder of zsh's $fpath"],
  ],
};

export function examplesOf(command: string): readonly Example[] {
  const [group, own] = command.split(" ");
  const all = EXAMPLES[group ?? ""] ?? [];
  return own === undefined ? all : all.filter(([line]) => line.startsWith(`${command} `));
}

/** As it stands below the help. */
export function examplesText(command: string): string {
  const examples = examplesOf(command);
  return examples.length === 0 ? "" : `\nExamples:\n${examples.map(([line, what]) => `  suture ${line}\n      ${what}`).join("\n")}`;
}
