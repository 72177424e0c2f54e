// Sealing and opening whole datagrams, in place and without allocation: what they cost is measured by `mailslots-bench bridge`. Whatever
// its length a datagram takes a tenth of a microsecond or two, so it is datagrams that are sealed, not messages. Deriving a session's key
// takes 6.5 µs.
//
// How they are used, a sender and a receiver:
//
//     var sealer = Sealer(domain: domain, session: SessionID(using: &generator))
//     …append records to the bytes from 40 on, leaving 16 at the end…
//     let byteCount = sealer.seal(&buffer, recordBytes: n, to: .host("render7"), time: now)
//
//     var opener = Opener(host: "render7", domains: [domain], start: now, clockBound: 30_000_000_000)
//     let origin = try opener.open(datagram, DatagramHeader(datagram: datagram), now: now, to: &records)
//     try Records.read(records) { (record, name, payload) in … }
/// Whom a datagram is for. It is sealed in: who takes a datagram for one host to another, or to all, has a wrong tag.
public enum Destination: Hashable, Sendable {
    case everyHost
    /// The host's name, canonical: ASCII letters in lower case.
    case host(String)
}

/// Calls `body` with what a datagram's tag is made over beside its records: the header, and the name of the host.
private func withAuthenticated<Result>(
    _ header: UnsafeRawBufferPointer, for destination: Destination, _ body: (UnsafeRawBufferPointer) -> Result
) -> Result {
    guard case .host(var name) = destination else { return unsafe body(header) }
    // Sound: as many bytes as there is room for are written, and `body` does not keep them.
    return name.withUTF8 { name in
        unsafe withUnsafeTemporaryAllocation(byteCount: header.count + name.count, alignment: 8) { memory in
            unsafe memory.copyMemory(from: header)
            unsafe UnsafeMutableRawBufferPointer(rebasing: memory[header.count...]).copyMemory(from: UnsafeRawBufferPointer(name))
            return unsafe body(UnsafeRawBufferPointer(memory))
        }
    }
}

/// Seals datagrams of one domain, in one session. For one thread at a time, and not in a forked child: a counter is used once.
public struct Sealer: ~Copyable {
    private let key: AEADKey
    private var header: DatagramHeader

    /// `session` must be random, and never used before. Counters start at 1.
    public init(domain: Domain, session: SessionID) {
        key = AEADKey(domain.sessionKey(for: session, of: domain.used))
        header = DatagramHeader(
            isForEveryHost: false, key: domain.used.id, domain: domain.hint(for: domain.used), time: 0, session: session, counter: 0)
    }

    package var session: SessionID { header.session }
    /// Of the datagram that was sealed last; 0: none was.
    package var counter: UInt64 { header.counter }

    /// Makes a datagram of the `recordBytes` bytes that lie 40 bytes from the front of `buffer`: puts the header before them, seals
    /// them in place, and puts the tag after them. Returns how many bytes it has. `buffer` has at least 40 + `recordBytes` + 16, else
    /// this traps.
    public mutating func seal(_ buffer: inout MutableRawSpan, recordBytes: Int, to destination: Destination, time: UInt64) -> Int {
        let byteCount = DatagramFormat.headerBytes + recordBytes + DatagramFormat.tagBytes
        precondition(recordBytes >= DatagramFormat.recordHeaderBytes, "A datagram has at least one record.")
        precondition(byteCount <= min(buffer.byteCount, DatagramFormat.bytesMax), "The datagram is too long.")
        header.counter += 1
        header.time = time
        header.isForEveryHost = destination == .everyHost
        // Sound: the ranges were checked above, and nothing keeps the pointers.
        unsafe buffer.withUnsafeMutableBytes { all in
            let head = unsafe UnsafeMutableRawBufferPointer(rebasing: all[..<DatagramFormat.headerBytes])
            var output = unsafe OutputRawSpan(buffer: head, initializedCount: 0)
            header.encode(to: &output)
            let headerBytes = unsafe output.finalize(for: head)
            precondition(headerBytes == DatagramFormat.headerBytes)
            let records = unsafe UnsafeMutableRawBufferPointer(rebasing: all[DatagramFormat.headerBytes...].prefix(recordBytes))
            let tag = unsafe UnsafeMutableRawBufferPointer(rebasing: all[(DatagramFormat.headerBytes + recordBytes)..<byteCount])
            let nonce = unsafe UnsafeRawBufferPointer(rebasing: all[DatagramFormat.nonceOffset...].prefix(DatagramFormat.nonceBytes))
            unsafe withAuthenticated(UnsafeRawBufferPointer(head), for: destination) {
                unsafe key.seal(records, tag: tag, nonce: nonce, authenticating: $0)
            }
        }
        return byteCount
    }
}

/// Where an accepted datagram came from.
public struct DatagramOrigin: Sendable {
    package let header: DatagramHeader
    /// The index of the domain in the list that the opener has.
    package let domain: Int
    /// A key that not everyone knows sealed it.
    package let isAuthenticated: Bool
}

/// Opens datagrams of one's own domains, each once. For one thread at a time.
///
/// What it remembers is bounded: `sessionsMax` sessions of about 1200 bytes. Only who has a key can make it remember one. A session is
/// forgotten when its last datagram has been out of the clock bound for as long again, so that none of its datagrams can come a second
/// time.
@safe
public struct Opener: ~Copyable {
    package static let sessionsMax = 8192

    /// A key of a domain that is accepted.
    private struct Acceptance {
        let domain: Int
        let hint: UInt32
        let key: DomainKey
        /// What was sealed earlier is refused.
        var start: UInt64
    }

    private struct Retired {
        let hint: UInt32
        let key: DomainKey
    }

    private final class Session {
        var acceptance: Int
        /// As the acceptance says.
        let keyID: UInt32
        let hint: UInt32
        let isAuthenticated: Bool
        var domain: Int

        let key: AEADKey
        var window = ReplayWindow()
        /// The latest time that one of its datagrams had.
        var time: UInt64

        init(_ index: Int, _ acceptance: Acceptance, key: AEADKey, time: UInt64) {
            self.acceptance = index
            keyID = acceptance.key.id
            hint = acceptance.hint
            isAuthenticated = !acceptance.key.isPublic
            domain = acceptance.domain
            self.key = key
            self.time = time
        }
    }

    /// What the tag of a datagram for us is made over beside its records: its header, and behind it our name. Kept, for it is always the
    /// same name: by `withAuthenticated` opening takes 40 ns longer (`mailslots-bench bridge`).
    private let authenticated: UnsafeMutableRawBufferPointer
    private var domains: [Domain]
    private var acceptances: [Acceptance]
    private let start: UInt64
    private var clockBound: UInt64
    /// Keys of domains that were accepted once and are no more: what was received by them nobody remembers.
    private var retired: [Retired] = []
    private var sessions: [SessionID: Session] = [:]
    /// The one that was met last: datagrams come in runs.
    private var latest: (id: SessionID, session: Session)?

    /// `host`: our name, canonical. `start`: the time now. A datagram that was sealed earlier is refused: those that were accepted
    /// before a restart could come again, and nothing remembers them. `clockBound`: by how many nanoseconds a sender's clock may
    /// differ from ours.
    public init(host: String, domains: [Domain], start: UInt64, clockBound: UInt64) {
        let name = [UInt8](host.utf8)
        unsafe authenticated = .allocate(byteCount: DatagramFormat.headerBytes + name.count, alignment: 8)
        unsafe UnsafeMutableRawBufferPointer(rebasing: authenticated[DatagramFormat.headerBytes...]).copyBytes(from: name)
        self.domains = domains
        self.start = start
        self.clockBound = clockBound
        acceptances = Self.acceptances(of: domains, start: start)
    }

    deinit { unsafe authenticated.deallocate() }

    private static func acceptances(of domains: [Domain], start: UInt64) -> [Acceptance] {
        domains.indices.flatMap { index in
            domains[index].accepted.map { Acceptance(domain: index, hint: domains[index].hint(for: $0), key: $0, start: start) }
        }
    }

    /// Other domains and keys, and another bound on the clocks. Sessions whose domain and key are still there go on; the others are
    /// forgotten, and if their key comes back it is as at a start: what was sealed before that is refused.
    package mutating func reconfigure(domains new: [Domain], clockBound: UInt64, now: UInt64) {
        self.clockBound = clockBound
        let before = acceptances
        let namesBefore = domains.map(\.name)
        domains = new
        latest = nil
        acceptances = Self.acceptances(of: new, start: start)
        for index in acceptances.indices {
            let (hint, key) = (acceptances[index].hint, acceptances[index].key)
            if let same = before.first(where: { $0.hint == hint && $0.key.isSame(as: key) }) {
                acceptances[index].start = same.start
            } else if retired.contains(where: { $0.hint == hint && $0.key.isSame(as: key) }) {
                acceptances[index].start = max(start, now)
            }
        }
        for old in before where !acceptances.contains(where: { $0.hint == old.hint && $0.key.isSame(as: old.key) }) {
            retired.append(Retired(hint: old.hint, key: old.key))
        }
        sessions = sessions.compactMapValues { session in
            let old = before[session.acceptance]
            let index = acceptances.firstIndex { $0.key.isSame(as: old.key) && new[$0.domain].name == namesBefore[old.domain] }
            guard let index else { return nil }
            session.acceptance = index
            session.domain = acceptances[index].domain
            return session
        }
    }

    /// Whether the session was met: opening a datagram of another one costs more, for its key is derived first.
    package func knows(_ session: SessionID) -> Bool { latest?.id == session || sessions[session] != nil }

    private mutating func session(_ id: SessionID) -> Session? {
        if let latest, latest.id == id { return latest.session }
        guard let session = sessions[id] else { return nil }
        latest = (id, session)
        return session
    }

    package var sessionCount: Int { sessions.count }

    /// Checks a datagram, whose header this is, by the rules 3 to 5 of the format, and appends its records to `output`, which has room for
    /// them, else this traps. Else throws the cause, and what is in `output` must not be used. What has the right tag counts as seen,
    /// whatever its records are.
    public mutating func open(
        _ datagram: RawSpan, _ header: DatagramHeader, now: UInt64, to output: inout OutputRawSpan
    ) throws(DatagramRejection) -> DatagramOrigin {
        let difference = header.time > now ? header.time - now : now - header.time
        guard difference <= clockBound else { throw .badTime }
        guard header.time >= start else { throw .beforeStart }
        guard let session = session(header.session) else { return try openFirst(datagram, header, now: now, to: &output) }
        guard session.keyID == header.key, session.hint == header.domain else { throw .unknownKey }
        switch session.window.verdict(on: header.counter) {
        case .new: break
        case .seen: throw .seen
        case .tooOld: throw .tooOld
        }
        guard decrypt(datagram, header, using: session.key, to: &output) else { throw .badTag }
        return accept(header, of: session)
    }

    private func accept(_ header: DatagramHeader, of session: Session) -> DatagramOrigin {
        session.window.mark(header.counter)
        session.time = max(session.time, header.time)
        return DatagramOrigin(header: header, domain: session.domain, isAuthenticated: session.isAuthenticated)
    }

    /// The first of a session: its key is derived.
    private mutating func openFirst(
        _ datagram: RawSpan, _ header: DatagramHeader, now: UInt64, to output: inout OutputRawSpan
    ) throws(DatagramRejection) -> DatagramOrigin {
        // Two keys may have the same id, by chance: one in four billion.
        var knowsKey = false
        for (index, acceptance) in acceptances.enumerated() where acceptance.key.id == header.key && acceptance.hint == header.domain {
            guard header.time >= acceptance.start else { throw .beforeStart }
            knowsKey = true
            let key = AEADKey(domains[acceptance.domain].sessionKey(for: header.session, of: acceptance.key))
            guard decrypt(datagram, header, using: key, to: &output) else { continue }
            try makeRoom(now: now)
            let session = Session(index, acceptance, key: key, time: header.time)
            sessions[header.session] = session
            return accept(header, of: session)
        }
        throw knowsKey ? .badTag : .unknownKey
    }

    private func decrypt(_ datagram: RawSpan, _ header: DatagramHeader, using key: AEADKey, to output: inout OutputRawSpan) -> Bool {
        let recordBytes = datagram.byteCount - DatagramFormat.headerBytes - DatagramFormat.tagBytes
        precondition(recordBytes <= output.freeCapacity, "There is no room for the records.")
        // Sound: the ranges are in the datagram, whose length was checked, and in the room, and nothing keeps them.
        return unsafe datagram.withUnsafeBytes { all in
            unsafe authenticated.copyMemory(from: UnsafeRawBufferPointer(rebasing: all[..<DatagramFormat.headerBytes]))
            let data = unsafe authenticated.prefix(header.isForEveryHost ? DatagramFormat.headerBytes : authenticated.count)
            let nonce = unsafe UnsafeRawBufferPointer(rebasing: all[DatagramFormat.nonceOffset...].prefix(DatagramFormat.nonceBytes))
            let sealed = unsafe UnsafeRawBufferPointer(rebasing: all[DatagramFormat.headerBytes...].prefix(recordBytes))
            let tag = unsafe UnsafeRawBufferPointer(rebasing: all.suffix(DatagramFormat.tagBytes))
            return unsafe output.withUnsafeMutableBytes { room, used in
                let text = unsafe UnsafeMutableRawBufferPointer(rebasing: room[used...].prefix(recordBytes))
                let isOpened = unsafe key.open(
                    sealed, tag: tag, nonce: nonce, authenticating: UnsafeRawBufferPointer(rebasing: data), into: text)
                if isOpened { used += recordBytes }
                return isOpened
            }
        }
    }

    private mutating func makeRoom(now: UInt64) throws(DatagramRejection) {
        guard sessions.count >= Opener.sessionsMax else { return }
        let (oldest, underflows) = now.subtractingReportingOverflow(2 * clockBound)
        latest = nil
        if !underflows { sessions = sessions.filter { $0.value.time >= oldest } }
        guard sessions.count < Opener.sessionsMax else { throw .tooManySessions }
    }
}
