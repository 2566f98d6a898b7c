#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process of the emulated host: makes a machine of it, runs the
# cases that the kernel's command line names, and turns it off.
export PATH=/usr/bin:/opt/forkfleet:/bin:/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
for place in /tmp /dev/shm /run; do mount -t tmpfs tmpfs "$place"; done
chmod 1777 /tmp /dev/shm
mount -t tmpfs -o size=3G tmpfs /data
mount -t devpts devpts /dev/pts
mount -t cgroup2 cgroup2 /sys/fs/cgroup
dmesg -n 1
ip link set lo up
hostname emulated
for module in /modules/*; do insmod "$module"; done
chmod 666 /dev/kvm
names=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^kvm.cases=//p' | tr ',' ' ')
printf '@host %s\n' "$(uname -r)"
# shellcheck disable=SC2086
sh /kvm/cases.sh $names 2>&1 | cat
sync
poweroff -f
