import CBenchmarks
import Foundation

/// What the figures were measured on.
struct Machine {
    struct Fact: Codable {
        var name: String
        var value: String
    }

    static var load: String { text("/proc/loadavg") ?? "unknown" }

    /// In a line.
    func summary(cpus: [UInt32]) -> String {
        let numbers = cpus.map(String.init).joined(separator: ", ")
        return "\(model); Linux \(kernel); \(governor(cpus[0])); CPUs \(numbers); load before: \(Self.load)"
    }

    func facts(cpus: [UInt32]) -> [Fact] {
        [
            ("processor", model), ("CPUs online", Self.text("/sys/devices/system/cpu/online")), ("caches", caches(cpus[0])),
            ("simultaneous threads", Self.text("/sys/devices/system/cpu/smt/control")), ("governor", governor(cpus[0])),
            ("virtualisation", virtualisation), ("memory", Self.field("MemTotal", of: "/proc/meminfo")),
            ("kernel", "Linux \(kernel), \(Self.text("/proc/sys/kernel/version") ?? "?")"), ("mitigations", mitigations),
            ("C library", String(cString: bench_c_library())), ("compiler", String(cString: bench_compiler())),
            ("build", build), ("commit", commit),
        ].compactMap { name, value in value.map { Fact(name: name, value: $0) } }
    }

    private var model: String {
        let names = ["model name", "CPU implementer"].lazy.compactMap { Self.field($0, of: "/proc/cpuinfo") }
        return names.first ?? "processor unknown"
    }
    private var kernel: String { Self.text("/proc/sys/kernel/osrelease") ?? "kernel unknown" }

    private func governor(_ cpu: UInt32) -> String {
        Self.text("/sys/devices/system/cpu/cpu\(cpu)/cpufreq/scaling_governor") ?? "no governor visible"
    }

    private func caches(_ cpu: UInt32) -> String? {
        let found = (0..<8).compactMap { index -> String? in
            let folder = "/sys/devices/system/cpu/cpu\(cpu)/cache/index\(index)/"
            guard let level = Self.text(folder + "level"), let size = Self.text(folder + "size") else { return nil }
            let shared = Self.text(folder + "shared_cpu_list") ?? "?"
            return "L\(level) \(Self.text(folder + "type") ?? "") \(size) (CPUs \(shared))"
        }
        return found.isEmpty ? nil : found.joined(separator: ", ")
    }

    private var virtualisation: String {
        let isGuest = Self.field("flags", of: "/proc/cpuinfo")?.split(separator: " ").contains("hypervisor") ?? false
        let vendor = Self.text("/sys/class/dmi/id/sys_vendor") ?? Self.text("/sys/hypervisor/type")
        return isGuest ? "a guest\(vendor.map { " of \($0)" } ?? "")" : "none visible"
    }

    private var mitigations: String {
        let folder = "/sys/devices/system/cpu/vulnerabilities/"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let active = names.sorted().compactMap { name -> String? in
            guard let state = Self.text(folder + name), state.hasPrefix("Mitigation") else { return nil }
            return "\(name): \(state.dropFirst("Mitigation: ".count))"
        }
        return active.isEmpty ? "none" : active.joined(separator: "; ")
    }

    private var build: String {
        #if DEBUG
            "debug: NOT for figures"
        #else
            "release: swiftc -O, clang -O2"
        #endif
    }

    /// Of the sources that this was built from, if they are still there.
    private var commit: String? {
        let git = Process()
        git.executableURL = URL(filePath: "/usr/bin/env")
        git.arguments = ["git", "-C", URL(filePath: #filePath).deletingLastPathComponent().path, "describe", "--always", "--dirty"]
        let output = Pipe()
        git.standardOutput = output
        git.standardError = FileHandle.nullDevice
        guard (try? git.run()) != nil else { return nil }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        git.waitUntilExit()
        return git.terminationStatus == 0 ? text.trimmingCharacters(in: .whitespacesAndNewlines) : nil
    }

    private static func text(_ path: String) -> String? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        return String(text.prefix { $0 != "\n" })
    }

    private static func field(_ name: String, of path: String) -> String? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(name) {
            return line.split(separator: ":", maxSplits: 1).last.map { String($0.drop { $0 == " " || $0 == "\t" }) }
        }
        return nil
    }
}
