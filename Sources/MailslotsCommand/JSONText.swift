import Foundation

/// A value as one line of JSON, or for people as several. Keys are sorted, so that outputs can be compared.
func jsonText(_ value: some Encodable, pretty: Bool = false) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting =
        pretty ? [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes] : [.sortedKeys, .withoutEscapingSlashes]
    // Numbers and strings always encode.
    return String(decoding: try! encoder.encode(value), as: UTF8.self)
}
