"""What a program that a model wrote is started through: `python jail.py PROGRAM LIMITS FD` shuts itself in, tells how, and becomes it.

It needs nothing but the standard library and Linux, and no privileges where user namespaces are permitted. In force, each as far as
the system allows: limits of CPU time, memory, file size and open files; namespaces in which there is no network, every mount is read-only
and the working folder is a small one in memory (or else, by Landlock, the only one that can be written to); no new processes or
threads, no signals to others, no sockets (a seccomp filter). Where something is not permitted the
rest holds, and the line written to FD says which.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import struct
import sys

NEW_MOUNTS, NEW_USER, NEW_NETWORK, NEW_IPC = 0x20000, 0x10000000, 0x40000000, 0x08000000
PRIVATE, RECURSIVE, NO_SUID, NO_DEVICES = 0x40000, 0x4000, 2, 4
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, READ_ONLY = 442, -100, 0x8000, 1
SET_NO_NEW_PRIVS, SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
#: By machine: its name in audit records, the number of prlimit64, and those refused: clone, fork, vfork, clone3; kill, tkill, tgkill,
#: rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal; ptrace, process_vm_readv and _writev; socket; unshare, setns, io_uring_setup.
CALLS = {
    "x86_64": (0xC000003E, 302, (56, 57, 58, 435, 62, 200, 234, 129, 297, 424, 101, 310, 311, 41, 272, 308, 425)),
    "aarch64": (0xC00000B7, 261, (220, 435, 129, 130, 131, 138, 240, 424, 117, 270, 271, 198, 97, 268, 425)),
}
#: x86_64 has every call a second time from here on (the x32 ABI), in the same audit records.
SECOND_ABI = 0x40000000
#: Of Landlock, by its version: rights to write, remove and make (1), to move between folders (2), to cut (3).
MAKE_RULES, ADD_RULE, RESTRICT_SELF, ASK_VERSION, BENEATH = 444, 445, 446, 1, 1
WRITING = (0x1FF2, 0x3FF2, 0x7FF2)
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000


def limit(seconds: int, memory: int, file_bytes: int) -> None:
    """Bounds that the kernel holds every process to; past the soft CPU limit it is sent SIGXCPU, past the hard one SIGKILL."""
    bounds = {
        resource.RLIMIT_CPU: (seconds, seconds + 1), resource.RLIMIT_AS: (memory, memory), resource.RLIMIT_FSIZE: (file_bytes, file_bytes),
        resource.RLIMIT_NOFILE: (64, 64), resource.RLIMIT_CORE: (0, 0),
    }  # fmt: skip
    for what, wanted in bounds.items():
        hard = resource.getrlimit(what)[1]  # which may be lower already, and can't be raised
        soft, most = wanted if hard == resource.RLIM_INFINITY else (min(bound, hard) for bound in wanted)
        resource.setrlimit(what, (soft, most))


def shut_in(libc: ctypes.CDLL, folder: bytes) -> bool:
    """Leave network, mounts and IPC of the system: False where namespaces are not permitted, and then nothing has changed."""
    user, group = os.getuid(), os.getgid()
    if libc.unshare(NEW_USER | NEW_MOUNTS | NEW_NETWORK | NEW_IPC):
        return False
    for name, text in (("setgroups", "deny"), ("uid_map", f"65534 {user} 1"), ("gid_map", f"65534 {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
    read_only = struct.pack("QQQQ", READ_ONLY, 0, 0, 0)
    return not (
        libc.mount(None, b"/", None, RECURSIVE | PRIVATE, None)
        or libc.syscall(MOUNT_SETATTR, AT_FDCWD, b"/", AT_RECURSIVE, read_only, len(read_only))
        or libc.mount(b"tmpfs", folder, b"tmpfs", NO_SUID | NO_DEVICES, b"size=16m,mode=700")
    )


def only_below(libc: ctypes.CDLL, folder: str) -> bool:
    """Write nowhere but below a folder, and reach into no other process's memory, by Landlock: for where there are no namespaces.

    Files elsewhere can still be read, and their modes and times changed. False where the kernel has no Landlock.
    """
    version = libc.syscall(MAKE_RULES, None, 0, ASK_VERSION)
    if version < 1:
        return False
    rights = struct.pack("Q", WRITING[min(version, len(WRITING)) - 1])
    rules, place = libc.syscall(MAKE_RULES, rights, len(rights), 0), os.open(folder, os.O_PATH)
    return not (
        libc.syscall(ADD_RULE, rules, BENEATH, rights + struct.pack("i", place), 0)
        or libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        or libc.syscall(RESTRICT_SELF, rules, 0)
    )


def alone(libc: ctypes.CDLL) -> bool:
    """Refuse, with EPERM, new processes and threads, any signal, other processes' memory and limits, sockets, and new namespaces.

    Namespaces alone leave the processes of the same user within reach, and sockets that are files. False on a machine whose calls are
    not known here.
    """
    if platform.machine() not in CALLS:
        return False
    machine, limits, calls = CALLS[platform.machine()]
    load, equal, least, answer = 0x20, 0x15, 0x35, 0x06  # of classic BPF: a word of the call's record, jumps if it is so, the end
    steps = [(load, 0, 0, 4), (equal, 1, 0, machine), (answer, 0, 0, KILL), (load, 0, 0, 0), (least, len(calls) + 4, 0, SECOND_ABI)]
    steps += [(equal, len(calls) + 3 - place, 0, number) for place, number in enumerate(calls)]
    steps += [(equal, 0, 2, limits), (load, 0, 0, 16), (equal, 0, 1, 0)]  # limits of process 0, which is itself, are its own
    steps += [(answer, 0, 0, ALLOW), (answer, 0, 0, REFUSE)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
    return not (libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0))


def main() -> None:
    """Shut in, tell how, and become the program."""
    path, seconds, memory, file_bytes, channel = sys.argv[1], *map(int, sys.argv[2:6])
    with open(path, encoding="utf-8") as file:
        program = file.read()
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    folder = os.getcwd()
    held = {"namespaces": libc is not None and shut_in(libc, os.fsencode(folder))}
    os.chdir(folder)  # into what was mounted there
    held["files"] = held["namespaces"] or (libc is not None and only_below(libc, folder))
    limit(seconds, memory, file_bytes)
    held["no_processes"] = libc is not None and alone(libc)
    os.write(channel, json.dumps(held).encode() + b"\n")
    os.execve(
        sys.executable, [sys.executable, "-I", "-c", program], {"PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
    )


if __name__ == "__main__":
    main()
