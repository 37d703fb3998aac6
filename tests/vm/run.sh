#!/usr/bin/env bash
# The live cgroup tests on a kernel with cgroup v2, in a throw-away virtual machine: Debian's
# kernel, a busybox initrd, this machine's root read-only over 9p, no network, no KVM.
#
#   tests/vm/run.sh PYTHON      PYTHON is an interpreter that has omp_magic and its test extra
#
# Needs root for apt-get, unless qemu, busybox and cpio are there. The last line counts the tests.
set -euo pipefail
python=$(readlink -f "$(dirname "$1")")/$(basename "$1")
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
home=$project/tests/.cache/vm
mkdir -p "$home"

need=()
command -v qemu-system-x86_64 >/dev/null || need+=(qemu-system-x86)
[ -x /bin/busybox ] || need+=(busybox-static)
command -v cpio >/dev/null || need+=(cpio)
command -v runc >/dev/null || need+=(runc)
if [ ${#need[@]} -gt 0 ]; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi
if [ ! -d "$home/kernel" ]; then
  package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
  (cd "$home" && apt-get -o APT::Sandbox::User=root download -qq "$package" && dpkg -x "$package"_*.deb kernel.part &&
    rm "$package"_*.deb && mv kernel.part kernel)
fi

# The drivers of 9p over virtio, each after those it needs.
modules="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci netfs fscache 9pnet 9pnet_virtio 9p"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/initrd/{bin,proc,sys,dev,host,modules} "$work/out"
cp /bin/busybox "$work/initrd/bin/"
for module in $modules; do
  find "$home/kernel/lib/modules" -name "$module.ko" -exec cp {} "$work/initrd/modules/" \;
done

cat > "$work/initrd/init" <<EOF
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t proc proc /proc; \$b mount -t sysfs sysfs /sys; \$b mount -t devtmpfs dev /dev
for m in $modules; do \$b insmod /modules/\$m.ko; done
\$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000,cache=loose host /host || \$b reboot -f
for f in proc sys dev; do \$b mount --move /\$f /host/\$f; done
for f in run dev/shm; do \$b mkdir -p /host/\$f 2>/dev/null; \$b mount -t tmpfs tmpfs /host/\$f; done
\$b mkdir /host/run/out /host/run/tmp
\$b mount -t 9p -o trans=virtio,version=9p2000.L out /host/run/out
\$b chroot /host /bin/bash /run/out/guest.sh > /host/run/out/log 2>&1
\$b sync; \$b reboot -f
EOF
chmod +x "$work/initrd/init"
(cd "$work/initrd" && find . | cpio -o -H newc 2>/dev/null | gzip -1 > ../initrd.gz)

cat > "$work/out/guest.sh" <<EOF
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run/tmp
export PYTHONDONTWRITEBYTECODE=1 OMP_MAGIC_VM=1
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo "+cpu +cpuset" > /sys/fs/cgroup/cgroup.subtree_control
cd "$project"
"$python" -m pytest -q -p no:cacheprovider -o timeout=600 tests/kernel/test_cgroup.py tests/vm
EOF

# A virtual machine without KVM is slow, and its time limits are too.
timeout "${LIMIT_S:-900}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -machine q35 \
  -m 3072 -nodefaults -no-user-config -display none -serial "file:$work/console" -no-reboot \
  -kernel "$(echo "$home"/kernel/boot/vmlinuz-*)" -initrd "$work/initrd.gz" \
  -append "console=ttyS0 panic=-1 quiet psi=1 mitigations=off" \
  -virtfs local,path=/,security_model=none,mount_tag=host,readonly=on,multidevs=remap \
  -virtfs "local,path=$work/out,security_model=none,mount_tag=out" </dev/null || true
if [ ! -s "$work/out/log" ]; then
  echo "the virtual machine said nothing; its console:" >&2
  tail -20 "$work/console" >&2
  exit 1
fi
cat "$work/out/log"
tail -1 "$work/out/log" | grep -qE '[0-9]+ passed' && ! tail -1 "$work/out/log" | grep -q failed
