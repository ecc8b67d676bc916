/**
 * The first program in the guest: it mounts what a Linux program expects, then answers requests on the second serial port until the machine
 * is switched off. The kernel's log has the first port for itself.
 *
 * A request is a line `ID KIND SIZE` and SIZE bytes:
 *   run    the bytes are a shell script; answered when it ends, with its exit code and output
 *   kill   the bytes are the ID of a script: ends it, if it still runs, with all that it started in its session; not answered itself: the script
 *          is when nothing of it runs any more, which never comes to pass when one of its processes hangs in the kernel
 *   data   appends the bytes to the file that is being put
 *   dump   asks the kernel to log where every CPU and every blocked task is
 * An answer is a line `\x01NONCE ID CODE SIZE FROM TO` and SIZE bytes; FROM and TO are the guest's seconds since boot. The host sends at most
 * CHUNK bytes before it waits for an answer, so that the port's input buffer (64 KiB in the kernel) never overflows.
 *
 * Before a script is answered, a line with the nonce and the ID goes through the kernel's log. When the host has seen it, it has seen
 * everything that the kernel said while the script ran.
 *
 * Each script's output has a file system of its own, so that one that fills it takes nothing from the next, nor from the requests: a script that
 * could not be stored whole must not be run. That is answered with the code NO_ROOM.
 */

import type { Arch } from "@suture/arch";

/** Bytes of one request. */
export const CHUNK = 32 * 1024;

/** Bytes of output that one answer carries; the rest is cut off. An emulated port brings some 160 KiB in a second. */
export const OUTPUT_LIMIT = 256 * 1024;

/** The word that begins a mark in the kernel's log. */
export const MARK = "suture-lab";

/** The code that answers a request for which there was no memory. */
export const NO_ROOM = -1;

/** The guest's own directory: nothing but requests is written to it, so that a guest whose memory is full can still be told to remove something. */
export const OWN = "/run/lab";

/** Where the running script's output is, a file system of limited size: a script that prints without end gets "no space left". */
const OUTPUT = `${OWN}/output`;

/** Where a file that is being put grows. */
export const PUT_FILE = "/run/put";

/** Mounted by one program before anything else: starting programs is what takes time in an emulated guest. */
export const FSTAB = `proc /proc proc defaults 0 0
sysfs /sys sysfs defaults 0 0
dev /dev devtmpfs defaults 0 0
debugfs /sys/kernel/debug debugfs defaults 0 0
lab ${OWN} tmpfs size=${8 * CHUNK} 0 0
`;

/** Serial ports in /dev. */
export type Ports = Arch["qemu"]["ports"];

export function initScript(nonce: string, ports: Ports): string {
  return `#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=dumb
mount -a
{ mkdir /dev/pts /dev/shm; mount -t devpts devpts /dev/pts; mount -t tmpfs shm /dev/shm; ip link set lo up; } &
cd /root
${agentScript(nonce, ports)}`;
}

/** The part that answers; any shell and Debian's own programs will do. */
export function agentScript(nonce: string, [, port]: Ports): string {
  return `exec 3<>/dev/${port}
stty 115200 raw -echo <&3
# An interrupt for each 14 bytes instead of 8: input is half as fast again.
echo 14 >/sys/class/tty/${port}/rx_trig_bytes
exec </dev/null >/dev/null 2>&1
wait

# answer ID CODE FROM <FILE
answer() {
  size=$(stat -Lc %s /proc/self/fd/0)
  [ "$size" -gt ${OUTPUT_LIMIT} ] && size=${OUTPUT_LIMIT}
  read -r now rest </proc/uptime
  { printf '\\001${nonce} %s %s %s %s %s\\n' "$1" "$2" "$size" "$3" "$now"; head -c "$size"; } >&3
}

# living SESSION: does any of its processes still run?
living() {
  for status in $(grep -l "^NSsid:[[:space:]]$1$" /proc/[0-9]*/status 2>/dev/null); do
    grep -q "^State:.Z" $status || return 0
  done
  return 1
}

# end SESSION
end() {
  # Before the first process has made a session of itself there is only that.
  kill -KILL -- -$1 || kill -KILL $1
}

# job ID
job() {
  read -r from rest </proc/uptime
  mount -t tmpfs -o size=${2 * OUTPUT_LIMIT} lab ${OUTPUT} && : >${OUTPUT}/text || { refuse $1; return; }
  exec 4<${OUTPUT}/text
  setsid sh ${OWN}/in.$1 >${OUTPUT}/text 2>&1 3>&- 4<&- &
  session=$!
  echo $session >${OWN}/session.$1
  # It may have been asked for before there was a session.
  [ -e ${OWN}/killed.$1 ] && end $session
  wait $session
  code=$?
  rm -f ${OWN}/in.$1 ${OWN}/session.$1
  if [ -e ${OWN}/killed.$1 ]; then
    while living $session; do sleep 0.05; done
    rm ${OWN}/killed.$1
  fi
  # Out of the next one's way. What still writes to it keeps it to itself.
  umount -l ${OUTPUT}
  echo "${MARK} ${nonce} $1" >/dev/kmsg
  answer $1 $code $from <&4
}

# refuse ID: there is no memory for it
refuse() {
  rm -f ${OWN}/in.$1
  answer $1 ${NO_ROOM} 0 </dev/null
}

mkdir -p ${OUTPUT}
cat /proc/sys/kernel/osrelease /sys/kernel/notes >${OWN}/hello
answer 0 0 0 <${OWN}/hello

while read -r id kind size <&3; do
  if ! head -c "$size" <&3 >${OWN}/in.$id; then refuse $id; continue; fi
  case $kind in
    run) job $id & ;;
    kill)
      read -r job <${OWN}/in.$id
      rm ${OWN}/in.$id
      if [ -e ${OWN}/in.$job ]; then
        touch ${OWN}/killed.$job
        read -r session <${OWN}/session.$job && end $session
      fi ;;
    data) if cat ${OWN}/in.$id >>${PUT_FILE}; then answer $id 0 0 </dev/null; else answer $id ${NO_ROOM} 0 </dev/null; fi; rm -f ${OWN}/in.$id ;;
    dump)
      echo l >/proc/sysrq-trigger
      echo w >/proc/sysrq-trigger
      echo "${MARK} ${nonce} $id" >/dev/kmsg
      answer $id 0 0 </dev/null
      rm -f ${OWN}/in.$id ;;
  esac
done
`;
}
