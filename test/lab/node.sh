#!/bin/bash
# PID 1 of a node, in network, mount, PID, UTS and IPC namespaces of its own. When it ends, the kernel ends every process
# of the node and drops every mount: that is the whole teardown of what runs inside.
# Arguments: the node's directory, its name, the cgroup version; then for each family the service range and the node's address.
set -euo pipefail
dir=$1 name=$2 cgroups=$3
shift 3

hostname "$name"
mkdir -p "$dir"/{log,hidden,host-cgroup,var/kubelet,var/containerd,var/cni,var/pod-logs}

mount --make-rprivate /
mount --rbind /sys/fs/cgroup "$dir/host-cgroup"
mount -t sysfs sysfs /sys                       # shows the links of this network namespace
if [ "$cgroups" = 2 ]; then
  mount --bind "$dir/host-cgroup" /sys/fs/cgroup
else
  mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
  for tree in "$dir"/host-cgroup/*/; do
    tree=${tree%/}; controller=${tree##*/}
    [ "$controller" = unified ] && continue     # seeing it, runc would take the machine for a version 2 one
    mkdir "/sys/fs/cgroup/$controller"
    mount --bind "$tree" "/sys/fs/cgroup/$controller"
  done
fi
umount -R "$dir/host-cgroup"

# Daemons keep their default paths; the host sees none of their files.
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/netns /run/lock
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t tmpfs -o mode=755 lib /var/lib
mount -t tmpfs -o mode=755 log /var/log
for part in kubelet containerd cni; do
  mkdir "/var/lib/$part"
  mount --bind "$dir/var/$part" "/var/lib/$part"
done
mkdir -p /var/log/pods /var/log/containers
mount --bind "$dir/var/pod-logs" /var/log/pods

# The kubelet sets some sysctls that hold for the whole machine, unless they already read as it wants: so they do.
pretend() {
  local file=$dir/hidden/${1//\//-}
  [ -e "/proc/sys/$1" ] || return 0
  echo "$2" > "$file"
  mount --bind "$file" "/proc/sys/$1"
}
pretend vm/overcommit_memory 1
pretend vm/panic_on_oom 0
pretend kernel/panic 10
pretend kernel/panic_on_oops 1
pretend kernel/keys/root_maxkeys 1000000
pretend kernel/keys/root_maxbytes 25000000
mount --make-rshared /

ip link set lo up
# Nodes have no default route. Without this one a process of the node (the API server, calling a webhook) would be told
# "unreachable" before kube-proxy's rules see the packet.
while [ $# -gt 0 ]; do
  ip route add "$1" dev eth0 src "$2"
  shift 2
done
# These belong to the network namespace.
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet
if [ -e /proc/sys/net/ipv6/conf/all/forwarding ]; then
  echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
  echo 1 > /proc/sys/net/bridge/bridge-nf-call-ip6tables
fi

# A daemon that ends is started again, as systemd would.
keep() {
  local daemon=$1 log
  log=$dir/log/${daemon##*/}.log
  while :; do
    "$daemon" >> "$log" 2>&1 || echo "ended with code $?, starting it again" >> "$log"
    sleep 0.3
  done
}
for daemon in "$dir"/daemons/first/*; do keep "$daemon" & done
until [ -e "$dir/api-ready" ]; do sleep 0.05; done
for daemon in "$dir"/daemons/then/*; do keep "$daemon" & done
trap 'exit 0' TERM INT
wait                                            # bash reaps whatever is left to PID 1
