internal import Distributed
internal import Mailslots

/// What is needed beside the bytes to encode and decode ids and actors.
struct ActorCodingContext: CodingContext {
    var system: MailslotActorSystem?
    /// The host that a message came from; `nil`: this one.
    var senderHost: String?

    var userInfo: [CodingUserInfoKey: Any] {
        var info: [CodingUserInfoKey: Any] = [:]
        info[.actorSystemKey] = system
        info[.senderHost] = senderHost
        return info
    }
}

extension CodingUserInfoKey {
    /// The host that a message came from; nothing if it is this one.
    static let senderHost = CodingUserInfoKey(rawValue: "MailslotsDistributed.senderHost")!  // any text will do
}
