#!/usr/bin/env bash
# The tests of model/kernel with JARVIS_KERNELS=avx512 on an emulated Ice Lake: avx512.sh [FLAG OF THE TEST…]. For machines without AVX-512, which
# user-mode emulators lack too. Bochs boots Debian's kernel with the tests beside it; all of it comes from Debian's packages, which are unpacked
# under bin/avx512 and not installed. BOCHS=PATH takes another build of it; one without debugger is several times as fast.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests=("${@:--test.short}")
work=$PWD/bin/avx512 root=$PWD/bin/avx512/root
mkdir -p "$work/deb" "$root"

skip() {
	echo "$1: the kernels of AVX-512 are not tested"
	exit 0
}

if grep -qw avx512f /proc/cpuinfo 2>/dev/null; then
	JARVIS_KERNELS=avx512 exec go test -count=1 ./model/kernel -args "${tests[@]}"
fi
if [ "$(uname -s) $(uname -m)" != "Linux x86_64" ] || ! command -v apt-get >/dev/null || ! command -v script >/dev/null; then
	skip "this is no Debian on x86-64"
fi
if [ ! -e "$work/unpacked" ]; then
	apt-cache show bochs >/dev/null 2>&1 || apt-get update -qq >/dev/null 2>&1 || true
	linux=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image/ {print $2; exit}')
	own=(bochs bochs-term bochsbios vgabios isolinux syslinux-common genisoimage busybox-static)
	{ [ "$linux" ] && apt-cache show "${own[@]}" >/dev/null 2>&1; } || skip "there is no Bochs among the packages"
	mapfile -t needs < <(apt-get install -s --no-install-recommends "${own[@]}" | awk '/^Inst/ {print $2}') # libraries that this machine lacks
	(cd "$work/deb" && apt-get -o APT::Sandbox::User=root download -qq "${own[@]}" "${needs[@]}" "$linux") || skip "Bochs cannot be fetched"
	for deb in "$work"/deb/*.deb; do dpkg -x "$deb" "$root"; done
	touch "$work/unpacked"
fi
libraries=$root/usr/lib/x86_64-linux-gnu

rm -rf "$work/files" "$work/disc" "$work/serial"
mkdir -p "$work"/files/{proc,dev,tmp} "$work/disc/isolinux"
cp "$root/bin/busybox" "$work/files/"
cat >"$work/files/init" <<'INIT'
#!/busybox sh
/busybox mount -t proc proc /proc
/busybox mount -t devtmpfs dev /dev
/busybox mount -t tmpfs tmp /tmp
/kernel.test $(/busybox cat /flags)
echo "exit status $?"
/busybox sleep 1
/busybox poweroff -f
INIT
chmod +x "$work/files/init"
echo "${tests[*]}" >"$work/files/flags"
GOOS=linux GOARCH=amd64 go test -c -ldflags '-s -w' -o "$work/files/kernel.test" ./model/kernel
(cd "$work/files" && find . | ./busybox cpio -o -H newc 2>/dev/null >"$work/disc/initrd")

cp "$root"/boot/vmlinuz-* "$work/disc/vmlinuz"
cp "$root/usr/lib/ISOLINUX/isolinux.bin" "$root/usr/lib/syslinux/modules/bios/ldlinux.c32" "$work/disc/isolinux/"
# What Bochs 2.7 tells wrongly of this model is taken out: protection keys (515) and what compacts XSAVE (321, 323); and its fast short REP (580),
# UMIP (514) and RDPID (534), with which the kernel does not start.
cat >"$work/disc/isolinux/isolinux.cfg" <<'BOOT'
default tests
label tests
kernel /vmlinuz
append initrd=/initrd console=ttyS0 quiet loglevel=1 panic=-1 mitigations=off apparmor=0 tsc=reliable no_timer_check lpj=1000000 clearcpuid=321,323,514,515,534,580 JARVIS_KERNELS=avx512
BOOT
LD_LIBRARY_PATH=$libraries "$root/usr/bin/genisoimage" -quiet -o "$work/disc.iso" -b isolinux/isolinux.bin -c isolinux/boot.cat \
	-no-emul-boot -boot-load-size 4 -boot-info-table "$work/disc"
screen=term
[ -z "${BOCHS:-}" ] || screen=nogui
cat >"$work/bochsrc" <<BOCHS
display_library: $screen
romimage: file=$root/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=$root/usr/share/vgabios/vgabios.bin
cpu: model=corei7_icelake_u, count=1, ips=50000000
memory: guest=512, host=512
ata0-master: type=cdrom, path=$work/disc.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/serial
log: $work/log
panic: action=fatal
error: action=ignore
info: action=ignore
clock: sync=none
BOCHS
echo c >"$work/continue" # Debian's build begins in its debugger
echo "booting an emulated Ice Lake: minutes" >&2
if [ "${BOCHS:-}" ]; then
	timeout 40m "$BOCHS" -q -f "$work/bochsrc" </dev/null >/dev/null 2>&1 || true
else
	export BXSHARE=$root/usr/share/bochs LTDL_LIBRARY_PATH=$libraries/bochs/plugins LD_LIBRARY_PATH=$libraries TERM=xterm
	script -qfc "timeout 40m '$root/usr/bin/bochs-bin' -q -f '$work/bochsrc' -rc '$work/continue'" /dev/null </dev/null >/dev/null 2>&1 || true
fi
tr -d '\r' <"$work/serial"
grep -q '^exit status 0' "$work/serial" || { echo "the tests did not pass" >&2; exit 1; }
