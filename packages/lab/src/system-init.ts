/**
 * The first program of a guest that boots a whole system from its first disk: it mounts that, leaves our agent in /run as a service, and makes way
 * for the system's own init. Nothing of ours is on the disk.
 */
import { agentScript, OWN, type Ports } from "./init-script.ts";

const ROOT = "/sysroot";
const UNITS = "/run/systemd/system";
const SERVICE = "suture-lab.service";

/** It answers from early on, and until the machine is off. */
const UNIT = `[Unit]
Description=Suture's virtual machine
DefaultDependencies=no
After=systemd-remount-fs.service
[Service]
ExecStart=/bin/sh ${OWN}/agent
Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
WorkingDirectory=/
KillMode=process
SendSIGHUP=no
`;

/** @param modules their files, in the order of loading */
export function systemInit(nonce: string, ports: Ports, modules: readonly string[]): string {
  return `#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
for module in ${modules.join(" ")}; do insmod $module; done
mkdir ${ROOT}
mount -t ext4 -o ro /dev/vda ${ROOT} || { echo "suture-lab: no system on the disk" >/dev/kmsg; exit 1; }
mount -t tmpfs -o mode=755 run /run
mkdir -p ${OWN} ${UNITS}/sysinit.target.wants
cat >${OWN}/agent <<'END'
${agentScript(nonce, ports)}
END
cat >${UNITS}/${SERVICE} <<'END'
${UNIT}
END
ln -s ../${SERVICE} ${UNITS}/sysinit.target.wants/${SERVICE}
# The kernel's log has the first port for itself, and we have the second.
for port in ${ports.join(" ")}; do ln -s /dev/null ${UNITS}/serial-getty@$port.service; done
for folder in proc sys dev run; do mount --move /$folder ${ROOT}/$folder; done
exec switch_root ${ROOT} /sbin/init
`;
}
