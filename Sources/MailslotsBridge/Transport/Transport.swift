package import MailslotsWire

/// Carries sealed datagrams between bridges: the seam between what a bridge does and the network under it.
///
/// A transport finds the paths to a destination; it never looks into a datagram. Nothing is acknowledged: what it cannot deliver it drops
/// and counts. It may deliver a datagram late, twice, or to hosts that it is not for: the bridge's seal sorts that out.
///
/// **Threads.** It has two sides. One thread at a time sends (`send`, `byteCountMax`), while one thread at a time receives (`receive`,
/// `wait`, `learn`, `forget`, `reconfigure`). `wake`, `counters` and `summary` are for any thread. `close` comes after both have ended.
package protocol Transport: AnyObject, Sendable {
    /// For logs, in one line: what it is, where it listens, which engine, and why not another.
    var summary: String { get }

    /// How long a datagram to this destination may be, header and tag included, 576 to 1472 bytes. `nil`: no path to it is known.
    func byteCountMax(to destination: Route) -> Int?

    /// Sends every datagram of the batch to every path of its destination. Waits for room at most 10 ms, then drops and counts.
    func send(_ batch: borrowing DatagramBatch)

    /// Calls `body` with each datagram that is there, at most some hundred, and returns how many there were. Never waits. Who `source`
    /// is holds until `body` returns, for `learn` and `describe`.
    func receive(_ body: (_ datagram: RawSpan, _ source: TransportSource) -> Void) -> Int

    /// Waits until `receive` may have something, somebody calls `wake`, or the time is up, in nanoseconds.
    func wait(upTo nanoseconds: Int64)
    /// Ends the wait that is on, or else the next one. From any thread.
    func wake()

    /// An announcement of this host that was authentic came from there: the path to it, until it is forgotten or comes from elsewhere.
    func learn(_ host: String, inDomain domain: Int, from source: TransportSource)
    func forget(_ host: String, inDomain domain: Int)
    /// "192.0.2.7:4240".
    func describe(_ source: TransportSource) -> String

    /// The configuration with all that `reconfigure` would have to ask the network for, such as peers' addresses. May take seconds; for any
    /// thread.
    func lookedUp(_ configuration: TransportConfiguration) throws(BridgeError) -> TransportConfiguration

    /// Takes over what a new configuration says of domains, peers and groups, without losing what is on its way. Throws, and changes
    /// nothing, if it cannot: another port, another address.
    func reconfigure(_ configuration: TransportConfiguration) throws(BridgeError)

    /// Adapts itself to changes of the machine's own network: interfaces, addresses, routes. About once a second, on the thread that
    /// receives. True: others may be reached now who were not before.
    func followNetwork() -> Bool

    /// What was sent, received, and dropped by cause, since the start: names for metrics, as "datagrams.sent", "drops.send.unreachable".
    var counters: [TransportCounter] { get }

    /// Frees sockets and threads.
    func close()
}

extension Transport {
    package func lookedUp(_ configuration: TransportConfiguration) throws(BridgeError) -> TransportConfiguration { configuration }
    package func followNetwork() -> Bool { false }
}

/// Where a datagram is to go: a host, or every host, of the domain with this index in the configuration.
package struct Route: Hashable, Sendable {
    package let domain: Int
    package let destination: Destination

    package init(domain: Int, destination: Destination) {
        self.domain = domain
        self.destination = destination
    }
}

/// Whoever a datagram came from, as its transport knows it.
package struct TransportSource: Hashable, Sendable {
    package let number: UInt32
    package init(_ number: UInt32) { self.number = number }
}

package struct TransportCounter: Hashable, Sendable {
    package let name: String
    package let value: UInt64
    package init(_ name: String, _ value: UInt64) {
        self.name = name
        self.value = value
    }
}
