extension BridgeError {
    /// Of a setting, called as in the configuration file.
    static func wrong(_ setting: String, _ cause: String, _ cure: String) -> BridgeError {
        BridgeError(.badConfiguration, "\(setting): \(cause). \(cure)")
    }
}

enum Check {
    static func range(_ value: Int, _ range: ClosedRange<Int>, _ setting: String) throws(BridgeError) {
        if !range.contains(value) { throw .wrong(setting, "it is \(value)", "Choose \(range.lowerBound) to \(range.upperBound).") }
    }

    static func range(_ value: Duration, _ range: ClosedRange<Duration>, _ setting: String, _ text: String) throws(BridgeError) {
        if !range.contains(value) { throw .wrong(setting, "it is \(value)", "Choose \(text).") }
    }

    /// Of hosts and domains: it stands between the separators of a mailslot's name.
    static func hostName(_ name: String, _ setting: String) throws(BridgeError) {
        let cure = "Choose 1 to 63 bytes, without any of \\ / : * ? < > \" | @ , and control characters, and not a lone dot."
        if name.isEmpty { throw .wrong(setting, "a name is empty", cure) }
        if name == "." { throw .wrong(setting, "\".\" means this machine", cure) }
        if name.utf8.count > 63 { throw .wrong(setting, "\"\(name)\" has \(name.utf8.count) bytes", cure) }
        // A comma separates names in an environment variable.
        if HostName.canonical(name) == nil || name.contains(",") { throw .wrong(setting, "\"\(name)\" cannot be a name", cure) }
    }

    /// ASCII letters in lower case, as names are compared.
    static func folded(_ name: String) -> String {
        String(decoding: name.utf8.map { (65...90).contains($0) ? $0 + 32 : $0 }, as: UTF8.self)
    }
}
