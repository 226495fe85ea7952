#!/bin/sh
# systemd_stage.sh CGROUP - a real systemd, as PID 1 of namespaces of its own, below the new cgroup CGROUP.
# It dies with the process that this script becomes. Its units are made here; the host's are not touched.
set -e
if [ "$2" != inside ]; then
        mkdir "$1"
        echo $$ > "$1/cgroup.procs"
        exec unshare --pid --mount --net --uts --ipc --cgroup --fork --kill-child "$0" "$1" inside
fi

units=/etc/systemd/system
unit() {
        name=$1
        shift
        { printf '[Unit]\nDefaultDependencies=no\n'; printf '%s\n' "$@"; } > $units/$name
}

mount --make-rprivate /
mount -t tmpfs tmpfs $units
mount -t tmpfs tmpfs /run
mount -t proc proc /proc
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
unit stage.target Wants=dbus.service
unit dbus.socket '[Socket]' ListenStream=/run/dbus/system_bus_socket
unit dbus.service Requires=dbus.socket After=dbus.socket '[Service]' \
        'ExecStart=@/usr/bin/dbus-daemon @dbus-daemon --system --address=systemd: --nofork --nopidfile'
unit good.service '[Service]' 'ExecStart=/bin/sleep 1000'
unit slow.service '[Service]' 'ExecStart=/bin/sleep 1000' 'ExecStop=/bin/sleep 1000' TimeoutStopSec=1000
unit bad.service '[Service]' Type=oneshot 'ExecStart=/bin/false'
unit once.service '[Service]' Type=oneshot 'ExecStart=/bin/true'
exec env -i container=haven PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=stage.target \
        --log-target=null --show-status=0
