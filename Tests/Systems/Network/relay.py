"""A relay in user space between two bridges, which loses, delays, reorders and repeats datagrams, and keeps what it saw.

Each bridge has the relay's socket on its own side as its only peer, and so takes it for the other bridge."""
import heapq
import random
import select
import socket
import threading
import time


class Relay:
    def __init__(self, address_a, address_b, seed, loss=0.0, duplication=0.0, reordering=0.0, family=socket.AF_INET):
        self.addresses = [address_a, address_b]
        self.loss, self.duplication, self.reordering = loss, duplication, reordering
        self.random = random.Random(seed)
        here = "127.0.0.1" if family == socket.AF_INET else "::1"
        self.sockets = []
        for _ in range(2):
            end = socket.socket(family, socket.SOCK_DGRAM)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            end.bind((here, 0))
            end.setblocking(False)
            self.sockets.append(end)
        self.passed = self.lost = self.repeated = self.delayed = 0
        self.keeps = False
        self.kept = []  # (side that it came from, bytes)
        self.waiting = []  # heap of (time, number, side to send by, bytes)
        self.number = 0
        self.is_over = False
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def port(self, side):
        """That the bridge of this side, 0 or 1, has as its peer."""
        return self.sockets[side].getsockname()[1]

    def aim(self, side, address):
        """Where the bridge of this side is now."""
        self.addresses[side] = address

    def send(self, to_side, data):
        """As the other bridge would."""
        address = self.addresses[to_side]
        if address is None:
            return
        try:
            self.sockets[to_side].sendto(data, address)
        except (BlockingIOError, ConnectionRefusedError):
            self.lost += 1

    def run(self):
        while not self.is_over:
            timeout = 0.05
            if self.waiting:
                timeout = max(0, min(timeout, self.waiting[0][0] - time.monotonic()))
            ready, _, _ = select.select(self.sockets, [], [], timeout)
            for end in ready:
                side = self.sockets.index(end)
                for _ in range(64):
                    try:
                        data, _ = end.recvfrom(2048)
                    except (BlockingIOError, ConnectionRefusedError):
                        break
                    self.take(side, data)
            now = time.monotonic()
            while self.waiting and self.waiting[0][0] <= now:
                _, _, to, data = heapq.heappop(self.waiting)
                self.send(to, data)

    def take(self, side, data):
        if self.keeps:
            with self.lock:
                self.kept.append((side, data))
        if self.random.random() < self.loss:
            self.lost += 1
            return
        to = 1 - side
        times = 2 if self.random.random() < self.duplication else 1
        self.repeated += times - 1
        for _ in range(times):
            if self.random.random() < self.reordering:
                self.delayed += 1
                self.number += 1
                heapq.heappush(self.waiting, (time.monotonic() + self.random.uniform(0, 0.01), self.number, to, data))
            else:
                self.send(to, data)
        self.passed += 1

    def take_kept(self):
        with self.lock:
            kept, self.kept = self.kept, []
        return kept

    def stop(self):
        self.is_over = True
        self.thread.join()
        for end in self.sockets:
            end.close()
