"""What one datagram, session or host costs."""

import dataclasses

# DatagramFormat.swift: header, record header, tag. The announcement's own four bytes come before the host's name.
HEADER, RECORD_HEADER, TAG, ANNOUNCEMENT_FIXED = 40, 8, 16, 4
# Ethernet with its checksum, IPv4, UDP.
BELOW = 18 + 20 + 8


@dataclasses.dataclass(frozen=True)
class Costs:
    # Seconds of CPU. Measured: Benchmarks/Datagram (UDP), mailslots-bench bridge (the rest).
    seal_s: float = 0.25e-6
    open_s: float = 0.4e-6
    derive_s: float = 6.5e-6
    # A datagram to a destination of its own, and one received that came alone.
    send_one_s: float = 1.9e-6
    receive_one_s: float = 1.6e-6
    # A message taken out of an outbox, and one written into a mailslot.
    take_s: float = 0.04e-6
    deliver_s: float = 0.06e-6
    # Bytes.
    session_bytes: int = 1200
    host_bytes: int = 800
    sessions_max: int = 8192
    host_name_bytes: int = 8
    # What the kernel gives unless net.core.rmem_max allows more, and what it charges for one short datagram.
    buffer_bytes: int = 212992
    charged_bytes: int = 768
    messages_in_long: int = 3
    announce_every_s: float = 10
    clock_bound_s: float = 30

    @property
    def receive_short_s(self):
        return self.receive_one_s + self.open_s

    @property
    def receive_long_s(self):
        return self.receive_one_s + self.open_s

    @property
    def send_short_s(self):
        return self.seal_s + self.send_one_s

    def measured(self, results):
        """With what mailslots-bench bridge found in that run."""
        changes = {}
        for cost in results.get("sealCosts", []):
            middle = {key: sorted(cost[key])[len(cost[key]) // 2] * 1e-9 for key in ("seal", "open")}
            if cost["recordBytes"] == min(other["recordBytes"] for other in results["sealCosts"]):
                changes |= {"seal_s": middle["seal"], "open_s": middle["open"]}
        return dataclasses.replace(self, **changes)


COSTS = Costs()


def announcement_bytes(costs):
    """Of a datagram with one announcement."""
    return HEADER + RECORD_HEADER + ANNOUNCEMENT_FIXED + costs.host_name_bytes + TAG


def wire_bytes(datagram_bytes):
    return datagram_bytes + BELOW
