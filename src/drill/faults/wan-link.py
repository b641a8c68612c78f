"""The network between the IDCs of a drill: carries IP packets between TUN devices, and loses, delays or paces them as told.

python3 wan-link.py OPTIONS-AS-JSON, as root. OPTIONS: "prefix" (first three bytes of all addresses, such as "198.19.7."), "root"
(name of the TUN device of this namespace, where ingress gateways listen), "sites" (by IDC number: "netns", "device").
The last byte of an address tells whose it is: 16 * K + n is the n-th ingress gateway of IDC number K, 128 + 16 * K its egress gateways.
Each line of standard input is JSON: "from", "to" (IDC numbers), "cut", "delayMs", "loss" (0 to 1), "kbit". Ends with its input.
"""
import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x0001, 0x1000, 0x40000000
# Packets that wait for a slow link: as a router has them, a quarter of a second and not more.
QUEUE_SECONDS = 0.25


def open_tun(device):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def enter(path):
    """Moves this process into a network namespace: what it opens from now on is there."""
    fd = os.open(path, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns " + path)
    os.close(fd)


def ip(*args):
    subprocess.run(["ip", *args], check=True)


def main():
    options = json.loads(sys.argv[1])
    prefix = options["prefix"]
    home = "/proc/%d/ns/net" % os.getpid()
    own = os.open(home, os.O_RDONLY)
    root = open_tun(options["root"])
    for address in options["peers"]:
        ip("addr", "add", address + "/32", "dev", options["root"])
    ip("link", "set", options["root"], "up")
    ip("route", "add", prefix + "128/25", "dev", options["root"])
    sites = {}
    for number, site in options["sites"].items():
        enter("/run/netns/" + site["netns"])
        sites[int(number)] = open_tun(site["device"])
        ip("addr", "add", prefix + str(128 + 16 * int(number)) + "/32", "dev", site["device"])
        ip("link", "set", site["device"], "up")
        ip("route", "add", prefix + "0/25", "dev", site["device"])
        ctypes.CDLL(None).setns(own, CLONE_NEWNET)
    conditions, free, waiting, count = {}, {}, [], 0
    chance = random.Random(options.get("seed", 1))
    print("ready", flush=True)
    control, text = sys.stdin.fileno(), b""
    os.set_blocking(control, False)
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, fd, packet = heapq.heappop(waiting)
            write(fd, packet)
        timeout = max(0, waiting[0][0] - now) if waiting else None
        ready, _, _ = select.select([control, root, *sites.values()], [], [], timeout)
        for fd in ready:
            if fd == control:
                piece = os.read(control, 65536)
                if piece == b"":
                    return
                *lines, text = (text + piece).split(b"\n")
                for line in lines:
                    told = json.loads(line)
                    conditions[(told["from"], told["to"])] = told
                continue
            for _ in range(64):
                try:
                    packet = os.read(fd, 65536)
                except BlockingIOError:
                    break
                if len(packet) < 20 or packet[0] >> 4 != 4:
                    continue
                source, target = packet[15], packet[19]
                if fd == root:
                    way, out = (source // 16, (target - 128) // 16), sites.get((target - 128) // 16)
                else:
                    way, out = ((source - 128) // 16, target // 16), root
                if out is None:
                    continue
                told = conditions.get(way, {})
                if told.get("cut") or chance.random() < told.get("loss", 0):
                    continue
                at = time.monotonic()
                if told.get("kbit"):
                    begin = max(at, free.get(way, 0))
                    if begin - at > QUEUE_SECONDS:
                        continue
                    free[way] = at = begin + len(packet) / (125 * told["kbit"])
                at += told.get("delayMs", 0) / 1000
                if told.get("kbit") or told.get("delayMs"):
                    count += 1
                    heapq.heappush(waiting, (at, count, out, packet))
                else:
                    write(out, packet)


def write(fd, packet):
    try:
        os.write(fd, packet)
    except OSError:
        # A full queue loses packets, as routers do.
        pass


main()
