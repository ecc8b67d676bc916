/**
 * What keeps a kernel busy: files, a disk, pipes, sockets, fork and exec, mmap, timers, signals, terminals, /proc and /sys. For the busybox of
 * a guest that has a disk /dev/vda. What it prints is the same each time, however slow the guest is: what has to be there is waited for.
 */
export const WORKLOAD = `set -e; exec 2>/run/said; trap '[ $? = 0 ] || tail -n 3 /run/said' EXIT
W=/run/work; rm -rf $W; mkdir -p $W/disk $W/x; cd $W
dd if=/dev/urandom of=a bs=4k count=64 2>/dev/null
cp a b; cmp a b; mv b c; ln c d; ln -s d e; chmod 600 e; truncate -s 100 c; stat -c '%s %h %a' c; stat -L -c %s e; rm d e; touch -d @0 c
tar cf t.tar a c; tar tf t.tar; tar xf t.tar -C x; cmp a x/a; gzip -c a | gunzip | cmp - a; find . -type f | sort | wc -l; df /run/lab >/dev/null
mke2fs -q /dev/vda >/dev/null; mount -t ext4 /dev/vda disk; cp a disk/f; sync; echo 3 >/proc/sys/vm/drop_caches; cmp a disk/f
mkdir disk/d; mv disk/f disk/d/g; ls disk/d; dd if=disk/d/g of=/dev/null bs=4k iflag=direct 2>/dev/null
dd if=a of=disk/h bs=4k conv=fsync oflag=direct 2>/dev/null; cmp a disk/h; rm -r disk/d; fstrim disk 2>/dev/null || true; umount disk
mount -t tmpfs -o size=1m small disk; dd if=/dev/zero of=disk/full bs=64k 2>/dev/null && exit 9; stat -c %s disk/full; umount disk
seq 2000 | sort -rn | head -1; mkfifo p; cat p >q & echo through >p; wait; cat q; (exit 3) || echo exit $?
i=0; while [ $i -lt 10 ]; do i=$((i+1)); echo $i | cat | cat >/dev/null; done; ionice -c 2 -n 5 taskset 1 echo scheduled; chroot / true; unshare -n true
httpd -p 127.0.0.1:8080 -h $W; wget -q -O w http://127.0.0.1:8080/a; cmp a w; killall httpd
nc -l -p 9999 >n & until echo by tcp | nc 127.0.0.1 9999; do usleep 100000; done; wait; cat n; ping -c 1 -q 127.0.0.1 >/dev/null; ping6 -c 1 -q ::1 >/dev/null || true
syslogd -O $W/log; until logger -t me by unix socket; usleep 100000; grep -q 'by unix socket' log; do :; done; killall syslogd; grep -o 'by unix socket' log | head -n 1
ip link add d0 type dummy 2>/dev/null && ip link del d0; ip addr add 10.9.8.7/32 dev lo; ip route >/dev/null; ip addr del 10.9.8.7/32 dev lo; netstat -an >/dev/null
timeout 0.3 sleep 5 || echo timeout $?; sleep 100 & kill -STOP $!; kill -CONT $!; kill $!; wait $! || echo ended $?
trap 'echo caught' USR1; kill -USR1 $$; trap - USR1; sh -c 'kill -SEGV $$' || echo signal $?
telnetd -F -b 127.0.0.1:2323 -l /bin/pwd & s=1; until sleep $s | nc 127.0.0.1 2323 | tr -dc '/a-z' >y; [ -s y ]; do s=$((s + 1)); done; cat y; echo; kill $!; wait $! 2>/dev/null || true
cat /proc/self/maps /proc/self/smaps /proc/self/status /proc/meminfo /proc/vmstat /proc/slabinfo /proc/net/* /proc/interrupts /proc/timer_list >/dev/null 2>&1 || true
cat /proc/[0-9]*/stat /proc/[0-9]*/wchan >/dev/null 2>&1 || true; find /sys/class /sys/block -follow -maxdepth 2 -type f 2>/dev/null | head -50 | xargs cat >/dev/null 2>&1 || true
dd if=/dev/zero of=/dev/null bs=1M count=16 2>/dev/null; awk 'BEGIN { for (i = 0; i < 20000; i++) a[i] = i; print length(a) }'; cd /; rm -rf $W; echo done
`;

/** A little of it without end, so that tasks are in all kinds of places while functions are exchanged. Ends when the file /run/busy is gone. */
export const BACKGROUND = `touch /run/busy; setsid sh -c '
cd /run; while [ -e busy ]; do seq 200 | sort -n | tail -1 >o; cp o o2; cat o2 | cat >o3; sleep 0.4 & wait; echo x | nc -w 1 127.0.0.1 1; done' </dev/null >/dev/null 2>&1 &`;
