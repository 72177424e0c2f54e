/// The clients whose mailslots for answers a server has open: those that it has heard of lately, up to a bound.
final class AnswerWriters: Sendable {
    /// Where a request's answer goes.
    struct Address: Hashable {
        var client: UInt64
        var origin: UInt16
    }

    private struct Entry {
        let writer: AnswerWriter
        var lastUse: UInt64
    }

    private struct State {
        var entries: [Address: Entry] = [:]
        /// The one before: mostly it is the same client again.
        var last: (address: Address, writer: AnswerWriter)?
        var uses: UInt64 = 0
        /// How many were opened since the dead were looked for.
        var opened = 0
    }

    private let maximumClients: Int
    private let server: String
    private let trust: Mailslot.Trust
    private let tally: ServerTally
    private let state = Locked(State())

    init(maximumClients: Int, server: String, trusting trust: Mailslot.Trust, _ tally: ServerTally) {
        self.maximumClients = max(maximumClients, 1)
        self.server = server
        self.trust = trust
        self.tally = tally
    }

    deinit { state.withLock { Self.forgetTheDead(&$0) } }

    /// `nil`: it cannot be opened.
    func find(_ address: Address) -> AnswerWriter? {
        state.withLock { state in
            if let last = state.last, last.address == address { return last.writer }
            state.uses += 1
            if state.entries[address] == nil {
                guard let writer = open(address) else { return nil }
                makeRoom(&state)
                state.entries[address] = Entry(writer: writer, lastUse: 0)
            }
            state.entries[address]?.lastUse = state.uses
            let writer = state.entries[address]!.writer
            state.last = (address, writer)
            return writer
        }
    }

    private func open(_ address: Address) -> AnswerWriter? {
        var name = AnswerReader.name(processID: UInt32(address.client >> 32), number: UInt32(truncatingIfNeeded: address.client))
        if address.origin != 0 {
            guard let host = try? MailslotOrigin(rawValue: address.origin).host(trusting: trust) else { return nil }
            name = #"\\\#(host.name)\mailslot\\#(name.replacing("/", with: #"\"#))"#
        }
        guard let writer = try? Mailslot.open(name, trusting: trust) else { return nil }
        return AnswerWriter(writer, server: server, tally)
    }

    private func makeRoom(_ state: inout State) {
        state.opened += 1
        // As many looks as there were openings: each costs half a microsecond, and so an opening one.
        if state.opened >= state.entries.count { Self.forgetTheDead(&state) }
        while state.entries.count >= maximumClients {
            guard let oldest = state.entries.min(by: { $0.value.lastUse < $1.value.lastUse })?.key else { return }
            state.entries[oldest] = nil
        }
    }

    private static func forgetTheDead(_ state: inout State) {
        state.opened = 0
        for (address, entry) in state.entries where entry.writer.isClientGone {
            entry.writer.removeMailslot()
            state.entries[address] = nil
        }
        state.last = nil
    }
}
