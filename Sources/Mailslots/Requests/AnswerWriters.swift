/// The clients whose mailslots for answers a server has open: those that it has heard of lately, up to a bound.
///
/// For whoever serves, and there is one at a time.
struct AnswerWriters: ~Copyable {
    /// Where a request's answer goes.
    struct Address: Hashable {
        var client: UInt64
        var origin: UInt16
    }

    private struct Entry {
        let writer: AnswerWriter
        var lastUse: UInt64
    }

    private let maximumClients: Int
    private let server: String
    private let trust: Mailslot.Trust
    private let tally: ServerTally
    private var entries: [Address: Entry] = [:]
    /// The one before: mostly it is the same client again.
    private var last: (address: Address, writer: AnswerWriter)?
    private var uses: UInt64 = 0
    /// How many were opened since the dead were looked for.
    private var opened = 0

    init(maximumClients: Int, server: String, trusting trust: Mailslot.Trust, _ tally: ServerTally) {
        self.maximumClients = max(maximumClients, 1)
        self.server = server
        self.trust = trust
        self.tally = tally
    }

    deinit {
        for entry in entries.values where entry.writer.isClientGone { entry.writer.removeMailslot() }
    }

    /// `nil`: it cannot be opened.
    mutating func find(_ address: Address) -> AnswerWriter? {
        if let last, last.address == address { return last.writer }
        uses += 1
        if entries[address] == nil {
            guard let writer = open(address) else { return nil }
            makeRoom()
            entries[address] = Entry(writer: writer, lastUse: 0)
        }
        entries[address]?.lastUse = uses
        let writer = entries[address]!.writer
        last = (address, writer)
        return writer
    }

    private func open(_ address: Address) -> AnswerWriter? {
        var name = Mailslot.nameForAnswers(processID: UInt32(address.client >> 32), number: UInt32(truncatingIfNeeded: address.client))
        if address.origin != 0 {
            guard let host = try? MailslotOrigin(rawValue: address.origin).host(trusting: trust) else { return nil }
            name = #"\\\#(host.name)\mailslot\\#(name.replacing("/", with: #"\"#))"#
        }
        guard let writer = try? Mailslot.open(name, trusting: trust) else { return nil }
        return AnswerWriter(writer, server: server, tally)
    }

    private mutating func makeRoom() {
        opened += 1
        // As many looks as there were openings: each costs half a microsecond, and so an opening one.
        if opened >= entries.count { forgetTheDead() }
        while entries.count >= maximumClients {
            guard let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse })?.key else { return }
            entries[oldest] = nil
        }
    }

    private mutating func forgetTheDead() {
        opened = 0
        for (address, entry) in entries where entry.writer.isClientGone {
            entry.writer.removeMailslot()
            entries[address] = nil
        }
        last = nil
    }
}
