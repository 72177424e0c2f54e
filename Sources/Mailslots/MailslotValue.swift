internal import CMailslots

/// A type that is sent as its bytes.
///
/// ```swift
/// struct Order: MailslotValue {
///     var id: UInt64
///     var price: Int64
/// }
/// ```
///
/// It is `BitwiseCopyable`, which the compiler checks: no references, no strings, no arrays. The first use of a type looks at its parts and
/// ends the program, with cause and cure, unless of each part:
///
/// - **Every pattern of bits is a value.** What is read was written by another process, which may be hostile. So: integers,
///   floating-point numbers, vectors of them, and structures, tuples and inline arrays of such. No `Bool`, enumeration, optional, pointer
///   or `Character`: some of their bytes are no value, and to have such a value is undefined behaviour. Send a `UInt8`, and make an
///   enumeration of it with `init(rawValue:)`.
/// - **It has no padding**: order the fields by size, the largest first, and fill up. The bytes of padding are what was in memory there,
///   and would go to the reader.
///
/// Both sides must have the same type; its size is compared, its fields are not. The bytes are those of the machine, little-endian.
public protocol MailslotValue: BitwiseCopyable, Sendable {}

extension UInt8: MailslotValue {}
extension UInt16: MailslotValue {}
extension UInt32: MailslotValue {}
extension UInt64: MailslotValue {}
extension Int8: MailslotValue {}
extension Int16: MailslotValue {}
extension Int32: MailslotValue {}
extension Int64: MailslotValue {}
extension Float: MailslotValue {}
extension Double: MailslotValue {}
