#!/bin/busybox sh
# The first process of the lab's dom0: Xen's daemons, then commands from the
# second serial line. A command comes as a line "NUMBER BASE64-OF-A-SCRIPT" and
# is answered by "begin NUMBER EXIT-CODE", its output (gzip, base64) and "end NUMBER".
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
/bin/busybox mkdir -p /proc /sys /dev /run /tmp
/bin/busybox --install -s /bin
export PATH=/usr/lib/xen-4.17/bin:/lab:/bin:/usr/bin:/usr/sbin HOME=/root DECAMP_SOCKET=/tmp/planner.sock
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mkdir -p /run/xen /run/xenstored /run/lock
for module in xen-privcmd xen-evtchn xenfs xen-gntdev xen-gntalloc; do
    insmod "/modules/$module.ko" || echo "lab: module $module cannot be loaded"
done
mount -t xenfs xenfs /proc/xen
# Of "lab.host=NAME lab.address=ADDRESS" on the command line; without an address there is no network.
host=$(sed -n 's/.*lab\.host=\([^ ]*\).*/\1/p' /proc/cmdline)
address=$(sed -n 's/.*lab\.address=\([^ ]*\).*/\1/p' /proc/cmdline)
hostname "$host"
ip link set lo up
if [ -n "$address" ]; then
    insmod /modules/e1000.ko
    ip addr add "$address/24" dev eth0
    ip link set eth0 mtu 9000 up
    dropbear -R -s
else
    ip addr add 10.99.0.1/32 dev lo
fi
xenstored --pid-file=/run/xenstored.pid
until [ -S /run/xenstored/socket ]; do usleep 100000; done
xen-init-dom0
xenconsoled --log=guest --log-dir=/var/log/xen/console --pid-file=/run/xenconsoled.pid

exec 3<>/dev/ttyS1
stty raw -echo <&3
echo "lab: dom0 is ready" >&3
while read -r number script <&3; do
    echo "$script" | base64 -d >/tmp/command.sh
    sh /tmp/command.sh >/tmp/answer 2>&1 </dev/null
    echo "begin $number $?" >&3
    gzip -c /tmp/answer | base64 >&3
    echo "end $number" >&3
done
echo "lab: the command line is closed"
poweroff -f
