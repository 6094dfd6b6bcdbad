#!/bin/busybox sh
# The guest's first process: makes the place the tests expect, runs them, says how they ended, switches off.

/bin/busybox --install -s /bin 2>/dev/null # says that sh is there already
export PATH=/usr/bin:/bin HOME=/

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t bpf bpf /sys/fs/bpf
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
ln -s /proc/self/fd /dev/fd
for module in /modules/*; do
    insmod "$module" || echo "vm: $module does not load"
done
ip link set lo up

echo "vm: Linux $(uname -r) is ready after $(cut -d ' ' -f 1 /proc/uptime) s"
sh /payload.sh
status=$?
dmesg -n 1 # nothing may interrupt the line that is looked for
echo
echo "vm: exit status $status"
poweroff -f
