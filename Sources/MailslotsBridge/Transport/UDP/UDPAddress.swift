internal import CMailslotsDatagram

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// An IPv4 or IPv6 address with a port: of a socket, a host or a group.
@safe
struct UDPAddress: Hashable, Sendable, CustomStringConvertible {
    var raw: mslot_address

    init(_ raw: mslot_address) { self.raw = raw }

    /// A numeric address without a port, "192.0.2.1", "2001:db8::1", "fe80::1%eth0".
    init?(_ text: String, port: UInt16) {
        let parsed = unsafe mslot_address_parse(text, port)
        guard parsed.is_valid else { return nil }
        raw = parsed.address
    }

    /// As above, or with a port: "192.0.2.1:4240", "[2001:db8::1]:4240".
    init?(_ text: String, defaultPort: UInt16) {
        if let address = UDPAddress(text, port: defaultPort) {
            self = address
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() } else if host.contains(":") { return nil }
        self.init(String(host), port: port)
    }

    var family: UInt16 { raw.family }
    var port: UInt16 { raw.port }
    var isMulticast: Bool { unsafe withUnsafePointer(to: raw) { unsafe mslot_address_is_multicast($0) } }
    /// Every address of the family.
    var isWildcard: Bool { self == UDPAddress.wildcard(family: family, port: port) }
    /// ff02::1 and its like: they are of one interface each.
    var isLinkLocalMulticast: Bool { family == 6 && raw.bytes.0 == 0xff && raw.bytes.1 & 0x0f == 2 }
    /// The interface that has the address; 0: none of this machine has.
    var interface: UInt32 { unsafe withUnsafePointer(to: raw) { unsafe mslot_address_interface($0) } }
    /// What the kernel's routes say.
    var path: mslot_datagram_path { unsafe withUnsafePointer(to: raw) { unsafe mslot_datagram_path_to($0) } }

    static func wildcard(family: UInt16, port: UInt16) -> UDPAddress {
        var raw = mslot_address()
        raw.family = family
        raw.port = port
        return UDPAddress(raw)
    }

    func by(interface index: UInt32) -> UDPAddress {
        var address = self
        address.raw.interface_index = index
        return address
    }

    func with(port: UInt16) -> UDPAddress {
        var address = self
        address.raw.port = port
        return address
    }

    var description: String {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(MSLOT_ADDRESS_TEXT_MAX)) { text in
            unsafe withUnsafePointer(to: raw) { unsafe mslot_address_describe($0, text.baseAddress) }
            return unsafe String(cString: text.baseAddress!)
        }
    }

    /// Without the port.
    var host: String {
        let text = description
        let host = text[..<text.lastIndex(of: ":")!]
        return String(host.hasPrefix("[") ? host.dropFirst().dropLast() : host)
    }

    static func == (a: UDPAddress, b: UDPAddress) -> Bool {
        unsafe withUnsafeBytes(of: a.raw) { a in unsafe withUnsafeBytes(of: b.raw) { b in unsafe a.elementsEqual(b) } }
    }
    func hash(into hasher: inout Hasher) { unsafe withUnsafeBytes(of: raw) { unsafe hasher.combine(bytes: $0) } }
}

/// The index of the interface of this name; `nil`: there is none.
func interfaceIndex(_ name: String) -> UInt32? {
    let index = unsafe if_nametoindex(name)
    return index == 0 ? nil : index
}

func interfaceName(_ index: UInt32) -> String {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(IF_NAMESIZE)) { name in
        unsafe if_indextoname(index, name.baseAddress) == nil ? "interface \(index)" : unsafe String(cString: name.baseAddress!)
    }
}

/// The numeric addresses of a host name, the system's preferred first. Asks the network, and may take seconds.
func lookUp(_ name: String, port: UInt16) throws(BridgeError) -> [UDPAddress] {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    var first: UnsafeMutablePointer<addrinfo>? = nil
    let failure = unsafe getaddrinfo(name, nil, &hints, &first)
    guard failure == 0 else {
        let cause = unsafe failure == EAI_SYSTEM ? String(cString: strerror(errno)) : unsafe String(cString: gai_strerror(failure))
        throw BridgeError(
            .network,
            "The peer \(name) is not found: \(cause). Give its numeric address, or make its name known to this machine.")
    }
    defer { unsafe freeaddrinfo(first) }
    var addresses: [UDPAddress] = []
    var next = unsafe first
    while let entry = unsafe next {
        // Sound: the list is getaddrinfo's, and an address is of the family that it says.
        if let address = unsafe numericAddress(entry.pointee), let numeric = UDPAddress(address, port: port) {
            addresses.append(numeric)
        }
        unsafe next = entry.pointee.ai_next
    }
    return addresses
}

private func numericAddress(_ entry: addrinfo) -> String? {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { host in
        let failure = unsafe getnameinfo(
            entry.ai_addr, entry.ai_addrlen, host.baseAddress, socklen_t(host.count), nil, 0, NI_NUMERICHOST)
        return failure == 0 ? unsafe String(cString: host.baseAddress!) : nil
    }
}
