internal import Mailslots
package import MailslotsWire

/// The hosts that this bridge has heard of, shared by its two sides.
///
/// A host has an index, 1 to 32766, which goes with the messages that it sends; it keeps the index for good.
package final class HostList: Sendable {
    package struct Name: Hashable, Sendable {
        /// The domain's name.
        package let domain: String
        package let host: String
    }

    package struct Host: Sendable {
        package let index: UInt16
        package fileprivate(set) var session: SessionID
        fileprivate var sessionBefore: SessionID?
        /// Monotonic.
        package fileprivate(set) var lastHeard: Int64
        /// The same moment since 1970.
        package fileprivate(set) var lastHeardReal: UInt64 = 0
        package fileprivate(set) var isPresent: Bool
        package fileprivate(set) var isAuthenticated: Bool
    }

    /// What an announcement told us.
    package enum Heard: Sendable {
        case nothingNew(index: UInt16)
        /// It is new, or has started anew: it does not know us.
        case newcomer(index: UInt16)
        /// Two hosts have this name, and announce themselves in turn.
        case conflict(index: UInt16)
        /// There are as many hosts as indices.
        case tooMany

        package var index: UInt16? {
            switch self {
            case .nothingNew(let index), .newcomer(let index), .conflict(let index): index
            case .tooMany: nil
            }
        }
    }

    package static let countMax = MailslotOrigin.hostNumberMax

    private struct State {
        var hosts: [Name: Host] = [:]
        var names: [UInt16: Name] = [:]
        var lastIndex: UInt16 = 0
        var changes = Changes()

        mutating func takeIndex() -> UInt16? {
            while lastIndex < countMax {
                lastIndex += 1
                if names[lastIndex] == nil { return lastIndex }
            }
            return nil
        }
    }

    /// Compare two to see what happened between them.
    package struct Changes: Equatable, Sendable {
        /// A host came or went.
        package fileprivate(set) var comingsAndGoings = 0
        /// A host is new, or has started anew.
        package fileprivate(set) var newcomers = 0
        /// Our own network is another: those who are there may have missed us.
        package fileprivate(set) var reconnections = 0
    }

    private let state = Locked(State())

    package init() {}

    /// Those of an earlier bridge, none of which was heard of yet. Before anything else.
    func restore(_ hosts: [(index: UInt16, name: Name)]) {
        state.withLock { state in
            for (index, name) in hosts where index <= Self.countMax && state.hosts[name] == nil {
                state.hosts[name] = Host(
                    index: index, session: SessionID(high: 0, low: 0), lastHeard: .min / 2, isPresent: false, isAuthenticated: false)
                state.names[index] = name
            }
        }
    }

    package func heard(_ name: Name, session: SessionID, isAuthenticated: Bool, now: Int64, realTime: UInt64) -> Heard {
        state.withLock { state in
            guard var host = state.hosts[name] else {
                guard let index = state.takeIndex() else { return .tooMany }
                state.names[index] = name
                let host = Host(
                    index: index, session: session, lastHeard: now, lastHeardReal: realTime, isPresent: true,
                    isAuthenticated: isAuthenticated)
                state.hosts[name] = host
                state.changes.comingsAndGoings += 1
                state.changes.newcomers += 1
                return .newcomer(index: host.index)
            }
            let isBack = !host.isPresent
            host.lastHeard = now
            host.lastHeardReal = realTime
            host.isPresent = true
            host.isAuthenticated = isAuthenticated
            defer {
                state.hosts[name] = host
                if isBack { state.changes.comingsAndGoings += 1 }
            }
            guard isBack || host.session != session else { return .nothingNew(index: host.index) }
            state.changes.newcomers += 1
            guard host.session != session else { return .newcomer(index: host.index) }
            let isConflict = host.sessionBefore == session
            host.sessionBefore = host.session
            host.session = session
            return isConflict ? .conflict(index: host.index) : .newcomer(index: host.index)
        }
    }

    /// It says that it ends; of a session that is not its latest that means nothing.
    package func left(_ name: Name, session: SessionID) -> Bool {
        state.withLock { state in
            guard state.hosts[name]?.session == session, state.hosts[name]!.isPresent else { return false }
            state.hosts[name]!.isPresent = false
            state.changes.comingsAndGoings += 1
            return true
        }
    }

    /// Takes those for gone that were not heard of since then, and returns them.
    package func expire(before time: Int64) -> [Name] {
        state.withLock { state in
            let gone = state.hosts.filter { $0.value.isPresent && $0.value.lastHeard < time }.map(\.key)
            for name in gone { state.hosts[name]!.isPresent = false }
            if !gone.isEmpty { state.changes.comingsAndGoings += 1 }
            return gone
        }
    }

    package func reconnected() { state.withLock { $0.changes.reconnections += 1 } }

    package subscript(name: Name) -> Host? { state.withLock { $0.hosts[name] } }

    /// Whether a host of this name was heard of in the domain, and is not gone.
    package func isPresent(_ name: Name) -> Bool { state.withLock { $0.hosts[name]?.isPresent ?? false } }

    package var presentCount: Int { state.withLock { $0.hosts.count(where: { $0.value.isPresent }) } }

    package var changes: Changes { state.withLock { $0.changes } }

    package func name(of index: UInt16) -> Name? {
        state.withLock { $0.names[index] }
    }
}
