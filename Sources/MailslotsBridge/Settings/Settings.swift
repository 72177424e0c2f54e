// Settings of several sources, by swift-configuration. Its readers take a value of the wrong type for none, and what they are not asked for
// they do not look at; here both are errors.
internal import Configuration
internal import Foundation
internal import MailslotsKeys

/// Settings, the first source that has one deciding.
final class Settings {
    private let sources: [SettingsSource]
    private var asked: Set<[String]> = []

    init(_ sources: [SettingsSource]) { self.sources = sources }

    func string(_ path: String...) throws(BridgeError) -> String? {
        guard case .string(let value)? = try content(path, .string, "a text") else { return nil }
        return value
    }

    func strings(_ path: String...) throws(BridgeError) -> [String]? {
        guard case .stringArray(let value)? = try content(path, .stringArray, "a list of texts") else { return nil }
        return value
    }

    func bool(_ path: String...) throws(BridgeError) -> Bool? {
        guard case .bool(let value)? = try content(path, .bool, "true or false") else { return nil }
        return value
    }

    func integer<Number: FixedWidthInteger>(_ path: String...) throws(BridgeError) -> Number? {
        guard case .int(let value)? = try content(path, .int, "a whole number") else { return nil }
        guard let number = Number(exactly: value) else {
            throw .wrong(name(path), "it is \(value)", "Choose \(Number.min) to \(Number.max).")
        }
        return number
    }

    func seconds(_ path: String...) throws(BridgeError) -> Duration? {
        guard case .double(let value)? = try content(path, .double, "a number of seconds") else { return nil }
        guard value.magnitude < 1e9 else {
            throw .wrong(name(path), "it is \(value)", "Choose a number of seconds, up to a billion.")
        }
        return .seconds(value)
    }

    /// A misspelt setting must not be taken for its default.
    func refuseUnknown() throws(BridgeError) {
        for source in sources {
            guard let unknown = source.unknown(besides: asked) else { continue }
            throw .wrong(
                unknown.text, "there is no such setting, and \(source.name) has one",
                "Of its kind there are: \(neighbours(of: unknown.path).sorted().joined(separator: ", ")).")
        }
    }

    /// The settings and, as `network.*`, the sections that there are where a setting stands that there is not; or, where there is not
    /// even such a section, beside it.
    private func neighbours(of unknown: [String]) -> Set<String> {
        var section = unknown.dropLast()
        while !section.isEmpty, !asked.contains(where: { $0.count > section.count && $0.starts(with: section) }) { section.removeLast() }
        return Set(
            asked.filter { $0.count > section.count && $0.starts(with: section) }.map { path in
                name([String](path.prefix(section.count + 1))) + (path.count > section.count + 1 ? ".*" : "")
            })
    }

    private func name(_ path: [String]) -> String { path.joined(separator: ".") }

    private func content(_ path: [String], _ type: ConfigType, _ kind: String) throws(BridgeError) -> ConfigContent? {
        asked.insert(path)
        for source in sources {
            do {
                let found = try source.snapshot.value(forKey: AbsoluteConfigKey(path), type: type)
                if let value = found.value { return value.content }
            } catch {
                throw .wrong(name(path), "what \(source.name) says is not \(kind)", "Write one, or leave it out.")
            }
        }
        return nil
    }
}

/// Where settings come from.
struct SettingsSource {
    /// As errors call it.
    let name: String
    fileprivate let snapshot: any ConfigSnapshot
    private let given: [Given]

    /// A setting that is there.
    fileprivate struct Given {
        /// As errors call it.
        let text: String
        /// As far as it can be told.
        let path: [String]
        let isKnown: (_ asked: Set<[String]>) -> Bool
    }

    fileprivate func unknown(besides asked: Set<[String]>) -> Given? { given.first { !$0.isKnown(asked) } }

    init(flags values: [AbsoluteConfigKey: ConfigValue]) {
        name = "the command line"
        snapshot = InMemoryProvider(values: values).snapshot()
        given = []
    }

    /// `nil` if no variable is ours.
    init?(environment: [String: String]) {
        let prefix = "MAILSLOT_BRIDGE_"
        let ours = environment.filter { $0.key.hasPrefix(prefix) }
        if ours.isEmpty { return nil }
        name = "the environment"
        snapshot = EnvironmentVariablesProvider(environmentVariables: ours).prefixKeys(with: ["mailslot", "bridge"]).snapshot()
        // "networkPort" is NETWORK_PORT, so letters and digits are what is left to compare.
        let plain = { (text: String) in text.uppercased().filter { $0.isLetter || $0.isNumber } }
        given = ours.keys.sorted().map { variable in
            let name = plain(String(variable.dropFirst(prefix.count)))
            return Given(text: variable, path: []) { asked in asked.contains { plain($0.joined()) == name } }
        }
    }

    init(file path: String) throws(BridgeError) {
        name = path
        let file: SmallFile
        do {
            file = try SmallFile(path: path)
        } catch {
            throw BridgeError(
                .badConfiguration,
                "The configuration file \(path) cannot be read: \(error)."
                    + (error.isForbidden ? " Let its user read it: chmod or chown." : " Name a JSON file: --config FILE"))
        }
        do {
            // Sound: the parsers do not keep the bytes.
            snapshot = try JSONSnapshot(data: unsafe file.bytes.span.bytes, providerName: path, parsingOptions: .default)
            let object = try JSONSerialization.jsonObject(with: Data(file.bytes)) as? [String: Any] ?? [:]
            given = leaves(of: object, below: [])
        } catch {
            let cause = (error as NSError).userInfo["NSDebugDescription"] as? String ?? "\(error)"
            throw BridgeError(
                .badConfiguration,
                "The configuration file \(path) cannot be understood\(place(of: cause, in: file.bytes)): \(cause) "
                    + "Write a JSON object, as the article Bridge shows.")
        }
    }
}

/// ", line 7", if the parser says how many bytes it understood: people count lines.
private func place(of cause: String, in bytes: [UInt8]) -> String {
    guard let match = cause.firstMatch(of: /around character ([0-9]+)/), let offset = Int(match.1) else { return "" }
    return ", line \(bytes.prefix(offset).count { $0 == UInt8(ascii: "\n") } + 1)"
}

/// The settings of an object, and its empty objects.
private func leaves(of object: [String: Any], below path: [String]) -> [SettingsSource.Given] {
    object.sorted { $0.key < $1.key }.flatMap { key, value in
        let path = path + [key]
        let text = path.joined(separator: ".")
        if let object = value as? [String: Any] {
            if !object.isEmpty { return leaves(of: object, below: path) }
            return [SettingsSource.Given(text: text, path: path) { asked in asked.contains { $0.starts(with: path) } }]
        }
        return [SettingsSource.Given(text: text, path: path) { asked in asked.contains(path) }]
    }
}
