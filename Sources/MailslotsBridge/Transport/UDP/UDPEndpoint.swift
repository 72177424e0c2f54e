internal import CMailslotsDatagram

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// An engine and its sockets, with errors that say what to do.
@safe
struct UDPEndpoint: @unchecked Sendable {
    // Sound: the C calls say which threads may make them, and the transport keeps to it.
    let handle: OpaquePointer

    init(engine: UDPSettings.Engine) throws(BridgeError) {
        let wanted = engine.raw
        let opened = unsafe mslot_datagram_open(wanted)
        guard let endpoint = unsafe opened.endpoint else {
            throw BridgeError(.network, Self.cannotOpen(wanted, unsafe opened.outcome, unsafe opened.system_error))
        }
        unsafe handle = endpoint
    }

    func close() { unsafe mslot_datagram_close(handle) }

    private static func cannotOpen(_ engine: mslot_datagram_engine, _ outcome: mslot_datagram_outcome, _ systemError: Int32) -> String {
        switch outcome {
        case .MSLOT_DATAGRAM_NO_ENGINE:
            return "The engine io_uring cannot be used: \(probe(.ioURing).says). Choose the engine mmsg, or automatic."
        default:
            return "The network cannot be opened: \(cause(outcome, systemError))."
        }
    }

    /// Whether the engine works in this process, and its version, or the cause and the cure.
    static func probe(_ engine: UDPSettings.Engine) -> (isUsable: Bool, says: String) {
        let probed = mslot_datagram_probe(engine.raw)
        return (probed.is_usable, text(of: probed.text))
    }

    /// Which engine runs, and why the other does not.
    var description: String {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(MSLOT_DATAGRAM_TEXT_MAX)) { text in
            unsafe mslot_datagram_describe(handle, text.baseAddress)
            return unsafe String(cString: text.baseAddress!)
        }
    }

    // MARK: sockets

    struct Socket: Hashable, Sendable {
        let number: UInt32
        /// As bound: with the port that the kernel chose.
        let address: UDPAddress
        let isWildcard: Bool
    }

    /// Binds a socket for what is sent to one host, which no other program can share. `nil`: the machine has no such family.
    func bindHost(_ address: UDPAddress, _ network: UDPSettings) throws(BridgeError) -> Socket? {
        var bound = bind(address, network, shares: false)
        // When a process is killed that received by io_uring, the kernel frees its sockets some time after the process (Linux 6.18):
        // the bridge that follows at once is to have the port.
        for _ in 0..<100 where bound.outcome == .MSLOT_DATAGRAM_PORT_IN_USE {
            usleep(10_000)
            bound = bind(address, network, shares: false)
        }
        switch bound.outcome {
        case .MSLOT_DATAGRAM_DONE:
            return Socket(number: bound.socket, address: UDPAddress(bound.address), isWildcard: address.isWildcard)
        case .MSLOT_DATAGRAM_NO_SUCH_FAMILY where address.isWildcard, .MSLOT_DATAGRAM_NOT_OUR_ADDRESS where address.isWildcard:
            return nil
        default: throw cannotBind(address, bound)
        }
    }

    /// Binds a socket for what is sent to a group, which others on this machine that do the same share.
    func bindGroup(_ group: UDPAddress, _ network: UDPSettings) throws(BridgeError) -> Socket {
        let bound = bind(group, network, shares: true)
        guard bound.outcome == .MSLOT_DATAGRAM_DONE else { throw cannotBind(group, bound) }
        return Socket(number: bound.socket, address: group, isWildcard: false)
    }

    private func bind(_ address: UDPAddress, _ network: UDPSettings, shares: Bool) -> mslot_datagram_bound {
        var options = mslot_datagram_bind_options_default()
        options.address = address.raw
        options.shares_port = shares
        options.multicast_hops = network.multicastHops
        options.multicast_loops = false
        options.receive_buffer_bytes = UInt32(clamping: network.receiveBufferSize)
        options.send_buffer_bytes = UInt32(clamping: network.sendBufferSize)
        return unsafe mslot_datagram_bind(handle, &options)
    }

    private func cannotBind(_ address: UDPAddress, _ bound: mslot_datagram_bound) -> BridgeError {
        let problem: String
        switch bound.outcome {
        case .MSLOT_DATAGRAM_PORT_IN_USE where address.isMulticast:
            problem =
                "the port is in use by a program that does not share it, as a bridge that serves all addresses does not. "
                + "Give each bridge on this machine an address of its own, or the group another port"
        case .MSLOT_DATAGRAM_PORT_IN_USE:
            problem =
                "the port is in use, perhaps by another bridge; `ss -ulpn 'sport = :\(address.port)'` shows by which program. End it, or "
                + "give this bridge another port or an address of its own"
        case .MSLOT_DATAGRAM_NO_PERMISSION:
            problem = "this user may not bind it: ports below 1024 need CAP_NET_BIND_SERVICE. Choose a higher port"
        case .MSLOT_DATAGRAM_NOT_OUR_ADDRESS:
            problem = "no interface of this machine has the address; `ip address` shows those that there are"
        case .MSLOT_DATAGRAM_NO_SUCH_FAMILY:
            problem = "the kernel does not speak IPv\(address.family). Leave the address out"
        case .MSLOT_DATAGRAM_TOO_MANY_SOCKETS:
            problem =
                "there are too many addresses, groups and interfaces: together they may need \(MSLOT_DATAGRAM_SOCKETS_MAX) sockets"
        default:
            problem = cause(bound.outcome, bound.system_error)
        }
        return BridgeError(.network, "UDP \(address) cannot be had: \(problem).")
    }

    func join(_ membership: UDPMembership) -> mslot_datagram_outcome {
        var group = membership.group.raw
        return unsafe mslot_datagram_join(handle, membership.socket, &group, membership.interface)
    }

    func leave(_ membership: UDPMembership) {
        var group = membership.group.raw
        _ = unsafe mslot_datagram_leave(handle, membership.socket, &group, membership.interface)
    }

    /// Whether multicast that is sent here also reaches this machine.
    func loopMulticast(_ socket: Socket, _ loops: Bool) { _ = unsafe mslot_datagram_loop_multicast(handle, socket.number, loops) }
}

extension UDPSettings.Engine {
    fileprivate var raw: mslot_datagram_engine {
        switch self {
        case .automatic: .MSLOT_DATAGRAM_AUTO
        case .mmsg: .MSLOT_DATAGRAM_MMSG
        case .ioURing: .MSLOT_DATAGRAM_IO_URING
        }
    }
}

/// A socket receives what is sent to a group and arrives by an interface.
struct UDPMembership: Hashable, Sendable {
    let socket: UInt32
    /// Without a port.
    let group: UDPAddress
    let interface: UInt32
}

func cause(_ outcome: mslot_datagram_outcome, _ systemError: Int32) -> String {
    let text = unsafe String(cString: mslot_datagram_outcome_text(outcome))
    return systemError == 0 ? text : "\(text): \(cause(systemError))"
}

func cause(_ systemError: Int32) -> String { unsafe String(cString: strerror(systemError)) }
