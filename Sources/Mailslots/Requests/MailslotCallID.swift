/// Which call it is, the same at the caller and at the server: for logs, and for who needs a request carried out exactly once.
///
/// A call is carried out at most once. One that ended without an answer may or may not have been: repeat it with the id of the first try,
/// `MailslotCaller.call(_:timeout:retrying:)`, and let the server remember the ids that it has carried out, with the origin of
/// the request where it takes requests of other machines.
public struct MailslotCallID: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The client: its process id, and a number that tells its clients apart.
    public let client: UInt64
    /// The call: a number that a client gives once.
    public let call: UInt64

    package init(client: UInt64, call: UInt64) {
        self.client = client
        self.call = call
    }

    /// Both numbers, the client's as its mailslot for answers is called: `1234-2a/9f0c10000000001`.
    public var description: String {
        "\(client >> 32)-\(String(client & 0xffff_ffff, radix: 16))/\(String(call, radix: 16))"
    }
}
