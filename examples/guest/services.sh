#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the example guest runs beside its counter: the guest agent, on the
# port that its host has given it. A disk with ext4 on it is found at /disk.
busybox --install -s /bin
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /var/log
hostname source
for module in virtio_ring virtio virtio_mmio virtio_blk \
  virtio_console failover net_failover virtio_net; do
  insmod "/modules/$module.ko" || true
done
ip link set lo up
if [ -d /sys/class/net/eth0 ]; then
  ip address add 169.254.77.2/29 dev eth0
  ip link set eth0 up
  ip route add default via 169.254.77.1
fi
mkdir -p /disk
[ -b /dev/vda ] && mount -t ext4 /dev/vda /disk
while :; do
  for port in /sys/class/virtio-ports/*; do
    [ "$(cat "$port/name" 2>/dev/null)" = org.qemu.guest_agent.0 ] &&
      qemu-ga -m virtio-serial -p "/dev/${port##*/}" -t /run -f /run/agent.pid
  done
  sleep 0.2
done
