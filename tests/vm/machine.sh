# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# The emulated machine, for make-station and run-guest, which source this: how it is started, spoken with and ended.
# Software emulation, never /dev/kvm: it costs 5 to 10 times the CPU, and runs anywhere.
#
# The second serial port and QEMU's monitor are pipes. The guest's end of the port is guest-agent; what it may be told,
# stands there. The machine's parts must be the same whenever a saved state is loaded.

machine= # its process
machine_dir=
console=

machine_format() {
        case $1 in
        *.qcow2) echo qcow2 ;;
        *) echo raw ;;
        esac
}

# machine_start GUEST DISK SNAPSHOT SHARE LIMIT [STATE]: GUEST is what make-guest made, SNAPSHOT on keeps DISK as it is, SHARE
# is what the guest sees as /share, LIMIT ends all in any case; with STATE it goes on from there instead of booting.
machine_start() {
        machine_dir=$(mktemp -d "${TMPDIR:-/tmp}/espdfu-machine.XXXXXX")
        console=$machine_dir/console.log
        mkfifo "$machine_dir/port.in" "$machine_dir/port.out" "$machine_dir/monitor.in" "$machine_dir/monitor.out"
        exec 7<>"$machine_dir/monitor.out" # nobody reads it; QEMU wants to write

        # Hardware of the emulated machine that nobody needs: loading its drivers is seconds of the boot. And safety
        # against neighbours that this machine does not have.
        unwanted=acpi_cpufreq,aesni_intel,ahci,crc32_pclmul,crct10dif_pclmul,ghash_clmulni_intel,i2c_i801,iTCO_wdt,kvm
        unwanted=$unwanted,kvm_amd,kvm_intel,lpc_ich,pcspkr,powernow_k8,sha512_ssse3
        # tsc: the emulated HPET is slow to read, and its clock counts as the better one. Nehalem: with AVX, as in "max",
        # the guest's C library chooses what is slow to emulate.
        append="root=/dev/vda rw console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off audit=0 tsc=reliable clocksource=tsc"
        append="$append systemd.show_status=false modprobe.blacklist=$unwanted"

        # QEMU ends by itself when the guest powers off; -no-reboot makes a panic an end too (panic=-1).
        (
                timeout --kill-after=5 "$5" qemu-system-x86_64 \
                        -machine q35,usb=off,vmport=off -accel tcg,thread=multi,tb-size=512 \
                        -cpu Nehalem -m 2048 -smp 2 \
                        -nodefaults -no-user-config -display none -no-reboot \
                        -serial "file:$console" \
                        -chardev "pipe,id=port,path=$machine_dir/port" -serial chardev:port \
                        -chardev "pipe,id=monitor,path=$machine_dir/monitor" -mon chardev=monitor,mode=readline \
                        -kernel "$1/vmlinuz" -initrd "$1/initrd" -append "$append" \
                        -drive "file=$2,if=virtio,snapshot=$3,format=$(machine_format "$2"),cache=unsafe" \
                        -virtfs "local,path=$4,mount_tag=share,security_model=none" \
                        -device virtio-rng-pci \
                        ${6:+-incoming "exec:cat '$6'"} </dev/null >"$machine_dir/qemu.log" 2>&1 7>&-
                echo "gone $?" 1<>"$machine_dir/port.out"
        ) &
        machine=$!
}

# machine_await SECONDS WORD: until the guest says so; prints what it says behind the word. Fails when the time is over, with
# 124, or when the machine is gone.
machine_await() {
        # shellcheck disable=SC2016 # of the inner shell
        said=$(timeout "$1" sh -c 'exec sed -n "/^$1/{p;q}; /^gone/{p;q}" <"$2"' sh "$2" "$machine_dir/port.out") || return $?
        case $said in
        "gone"*) return 1 ;;
        esac
        echo "${said#* }"
}

machine_say() {
        echo "$1" 1<>"$machine_dir/port.in"
}

machine_order() {
        echo "$1" 1<>"$machine_dir/monitor.in"
}

# machine_save STATE: what it is now goes into the file, and the machine ends.
machine_save() {
        machine_order "migrate_set_parameter max-bandwidth 4G"
        machine_order "migrate \"exec:cat >'$1'\""
        machine_order quit
        wait "$machine"
        machine=
        [ -s "$1" ]
}

# After the guest was told to power off. Fails when QEMU did.
machine_wait() {
        wait "$machine"
        machine=
        ! grep . "$machine_dir/qemu.log" >&2
}

# Ends it, in whatever state, and removes what it needed. For a trap.
machine_end() {
        if [ -n "$machine" ]; then
                machine_order quit
                wait "$machine" || :
        fi
        machine=
        [ -z "$machine_dir" ] || rm -rf "$machine_dir"
}
