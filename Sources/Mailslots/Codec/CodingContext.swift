/// What the types of a message need beside its bytes: `userInfo` of its encoder and decoder.
package protocol CodingContext: Sendable {
    /// Made only for those who ask.
    var userInfo: [CodingUserInfoKey: Any] { get }
}
