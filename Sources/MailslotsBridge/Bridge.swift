#if Bridge
    public import Logging
    public import ServiceLifecycle

    /// Carries messages between the mailslots of this machine and those of others.
    public final class Bridge: Service {
        /// - Throws: What is wrong with the configuration. Nothing is opened yet.
        public init(_ configuration: BridgeConfiguration, logger: Logger) throws(BridgeError) {
            _ = configuration
            _ = logger
        }

        /// Serves until graceful shutdown, then sends what is in the outboxes, or cancellation. Once.
        public func run() async throws {}

        /// Goes on with another configuration: keys, peers, groups, limits and permissions. Sessions go on, and no message is lost.
        /// - Throws: And changes nothing if the new one is wrong, or has another host name, port or address: these need a new start.
        public func reload(_ configuration: BridgeConfiguration) throws(BridgeError) { _ = configuration }
    }
#endif
