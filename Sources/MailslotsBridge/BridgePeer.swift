/// A host whose address is configured.
public struct BridgePeer: Sendable, Hashable {
    /// A numeric address, "192.0.2.7" or "2001:db8::7", or a host name that is looked up at the start and at each reload.
    public var address: String
    /// UDP port. `nil`: ours.
    public var port: UInt16?
    /// The host's name, if it is to be known before it has announced itself.
    public var host: String?

    public init(address: String, port: UInt16? = nil, host: String? = nil) {
        self.address = address
        self.port = port
        self.host = host
    }
}
