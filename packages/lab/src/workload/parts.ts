/** What a workload does in a guest: small scripts, each in a folder of its own. What they print is the same in every run on one kernel. */
import type { MadeDisk } from "./disks.ts";

export interface Part {
  name: string;
  /** For the guest's shell; $W is the part's folder. */
  script: string;
  /** It goes on all the time while the livepatch goes in and out. Others need something that there is once. */
  steady: boolean;
}

/** Of the program, see c/workload.c. */
const OF_PROGRAM = ["files", "pipes", "signals", "timers", "processes", "memory", "ipc", "unix", "inet", "netlink"];
/** What those say depends on the modules that are there. */
const OF_MODULES = ["protocols", "alg", "families"];
export const PROGRAM = "/bin/suture-workload";

const SHELL = `cd $W; i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i some words; done >a; cp a b; cmp a b && mv b c; ln -s c d; ls | tr '\\n' ' '
tar cf t.tar a c; mkdir -p x; tar xf t.tar -C x; cmp a x/a && gzip -c a | gunzip | sha256sum; sort -rn a | head -n 1; find . -type f | sort | wc -l
mkfifo p; cat p >q & echo through >p; wait $!; cat q; (exit 3) || echo exit $?; seq 400 | sort -rn | awk '{ s += $1 } END { print s }'
cat /proc/self/maps /proc/self/status /proc/meminfo /proc/net/* /proc/[0-9]*/stat /proc/interrupts >/dev/null 2>&1
rm -rf a b c d t.tar x p q; echo done`;

/** Every file system that needs no device: mounted, looked at (tasks come and go while proc is listed), gone. */
const MOUNTS = `mkdir -p $W/m; sed -n 's/^nodev\\t//p' /proc/filesystems | sort | while read -r type; do
case $type in rootfs|bdev|sockfs|pipefs|dax) continue;; esac
if mount -t $type none $W/m 2>/dev/null; then ls $W/m >/dev/null 2>&1 || [ $type = proc ]; echo "$type $?"; umount $W/m; fi; done; echo done`;

const inMemory = (type: string, options = ""): string =>
  `mkdir -p $W/m; mount -t ${type} ${options} none $W/m || exit 8; ${PROGRAM} files $W/m; code=$?; umount $W/m; exit $code`;

const OVERLAY = `mkdir -p $W/t; mount -t tmpfs none $W/t || exit 8; mkdir $W/t/l $W/t/u $W/t/w $W/t/m; echo below >$W/t/l/below
if mount -t overlay -o lowerdir=$W/t/l,upperdir=$W/t/u,workdir=$W/t/w none $W/t/m 2>/dev/null; then
echo more >>$W/t/m/below; cat $W/t/l/below $W/t/m/below; ${PROGRAM} files $W/t/m; code=$?; umount $W/t/m; else echo no overlay; code=0; fi; umount $W/t; exit $code`;

const NETWORK = `ip link set lo up; ping -c 2 -q 127.0.0.1 | grep -c ' 0% packet loss'; ping -6 -c 1 -q ::1 >/dev/null 2>&1; echo six $?
for type in dummy veth bridge ifb nlmon vcan macsec wireguard ipip sit gre ip6tnl bond team; do
ip link add st0 type $type 2>/dev/null && { ip link set st0 up 2>/dev/null; ip addr add 10.99.0.1/24 dev st0 2>/dev/null; cat /sys/class/net/st0/statistics/tx_packets >/dev/null; ip link del st0; echo $type $?; }; done
mkdir -p $W/h; echo by http >$W/h/page; httpd -p 127.0.0.1:8765 -h $W/h; wget -q -O - http://127.0.0.1:8765/page; killall httpd; echo done`;

/** On a disk twice: what was written is there again after it was unmounted and the memory let go. */
function onDisk({ type, readOnly }: MadeDisk, device: string): string {
  const mount = `mkdir -p $W/m; mount -t ${type} ${readOnly ? "-o ro " : ""}${device} $W/m || exit 8`;
  if (readOnly) return `${mount}; ${PROGRAM} tree $W/m; code=$?; umount $W/m; exit $code`;
  return `${mount}; ${PROGRAM} files $W/m || exit 9; dd if=/dev/zero bs=64k count=16 2>/dev/null | tr '\\0' 'x' >$W/m/big; sync; umount $W/m
echo 3 >/proc/sys/vm/drop_caches; ${mount}; sha256sum <$W/m/big; rm $W/m/big; umount $W/m`;
}

/** @param disks in the order in which the guest has them */
export function partsOf(disks: readonly MadeDisk[], hasProgram: boolean): Part[] {
  const steady = (name: string, script: string): Part => ({ name, script, steady: true });
  const single = (name: string, script: string): Part => ({ name, script, steady: false });
  const needProgram: Part[] = [
    ...OF_PROGRAM.map((name) => steady(name, `${PROGRAM} ${name} $W`)),
    ...OF_MODULES.map((name) => single(name, `${PROGRAM} ${name} $W`)),
    single("tmpfs", inMemory("tmpfs")),
    single("ramfs", inMemory("ramfs")),
    single("overlay", OVERLAY),
    ...disks.map((disk, i) => single(`${disk.type} on a disk`, onDisk(disk, `/dev/vd${String.fromCharCode("a".charCodeAt(0) + i)}`))),
  ];
  return [steady("shell", SHELL), single("mounts", MOUNTS), single("network", NETWORK), ...(hasProgram ? needProgram : [])];
}
