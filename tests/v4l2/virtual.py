"""A virtual machine (QEMU) that has a camera: Debian's kernel with its `vivid` driver, on the files of this machine.

It sees our whole file system and so runs this very Python and this very checkout. What it writes there stays in its memory, but
for one folder. Nothing is downloaded.
"""

from __future__ import annotations

import lzma
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

QEMU, BUSYBOX = "qemu-system-x86_64", "busybox"
BEFORE_ROOT = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
"""The drivers of the guest's file system. Those of the camera are then loaded from there."""
MEMORY = "1536M"
CHECKOUT = Path(__file__).parents[2]

INIT = """#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t devtmpfs dev /dev
for module in /modules/*; do $bb insmod $module; done
options=trans=virtio,version=9p2000.L,msize=500000
$bb mount -t 9p -o ro,cache=loose,$options host /host
$bb mount -t tmpfs written /written
$bb mkdir /written/upper /written/work
$bb mount -t overlay -o lowerdir=/host,upperdir=/written/upper,workdir=/written/work root /root
$bb mount -t proc proc /root/proc
$bb mount -t sysfs sys /root/sys
$bb mount -t devtmpfs dev /root/dev
$bb mkdir /root/dev/shm
$bb mount -t tmpfs -o mode=1777 shm /root/dev/shm
$bb mount -t 9p -o cache=none,$options out /root/mnt
$bb ifconfig lo 127.0.0.1 up
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
export TMPDIR=/dev/shm HOME=/dev/shm XDG_RUNTIME_DIR=/dev/shm REMI_HOME=/dev/shm/remi PYTHONPATH={checkout}
$bb chroot /root {python} {program} /mnt </dev/null
$bb sync
$bb poweroff -f
"""


def kernel() -> str:
    """The newest release of Linux at this machine that can be started and has `vivid`; "" when there is none."""
    releases = [path.name for path in Path("/lib/modules").glob("*") if any(path.rglob("vivid.ko*"))]
    return max((release for release in releases if _image(release).is_file()), key=_numbers, default="")


def run(program: Path, out: Path, timeout_s: float) -> str:
    """Run a Python program in the guest, which may write into the folder `out`; give what the guest's console showed.

    Without KVM, which is not everywhere and not always sound: a minute or two, the same everywhere.
    """
    release = kernel()
    drive = _first_drive(release, out.parent / "guest", program)
    command = [
        *(QEMU, "-accel", "tcg", "-icount", "shift=0", "-cpu", "max", "-smp", "1", "-m", MEMORY, "-nographic", "-no-reboot"),
        *("-nodefaults", "-serial", "stdio", "-kernel", str(_image(release)), "-initrd", str(drive)),
        *("-append", "console=ttyS0 quiet panic=-1 mitigations=off rdinit=/init"),
        *("-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"),
        *("-virtfs", f"local,path={out},mount_tag=out,security_model=none"),
    ]
    console = out.parent / "console"
    try:
        with open(console, "w") as file:
            subprocess.run(["nice", *command], stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=timeout_s, check=True)
    except subprocess.SubprocessError as error:
        raise AssertionError(f"{error}; the console:\n{console.read_text(errors='replace')}") from None
    return console.read_text(errors="replace")


def _image(release: str) -> Path:
    return Path(f"/boot/vmlinuz-{release}")


def _numbers(release: str) -> list[int]:
    return [int(part) for part in release.replace("-", ".").split(".") if part.isdigit()]


def _first_drive(release: str, folder: Path, program: Path) -> Path:
    """Make the initramfs: a shell, the drivers that reach our files, and what to do then."""
    for name in ("bin", "proc", "dev", "host", "written", "root", "modules"):
        (folder / name).mkdir(parents=True)
    shutil.copy(str(shutil.which(BUSYBOX)), folder / "bin" / "busybox")
    for number, module in enumerate(_modules(release)):
        packed = module.read_bytes()
        (folder / "modules" / f"{number:02}.ko").write_bytes(lzma.decompress(packed) if module.suffix == ".xz" else packed)
    (folder / "init").write_text(INIT.format(python=sys.executable, program=program, checkout=CHECKOUT))
    (folder / "init").chmod(0o755)
    drive = folder.with_suffix(".cpio")
    names = "\n".join(["."] + [str(path.relative_to(folder)) for path in sorted(folder.rglob("*"))])
    with open(drive, "wb") as file:
        subprocess.run([BUSYBOX, "cpio", "-o", "-H", "newc"], cwd=folder, input=names.encode(), stdout=file, check=True)
    return drive


def _modules(release: str) -> Iterator[Path]:
    """Give the files of the first drivers in the order in which they are to be loaded."""
    given = set()
    for name in BEFORE_ROOT:
        told = subprocess.run(
            ["/sbin/modprobe", "-S", release, "--show-depends", name], capture_output=True, text=True, check=True
        )
        for line in told.stdout.splitlines():
            word, *path = line.split()
            if word == "insmod" and path[0] not in given:
                given.add(path[0])
                yield Path(path[0])
