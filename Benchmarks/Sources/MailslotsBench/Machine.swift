import FoundationEssentials

/// What the figures were measured on.
enum Machine {
    static func describe(cpus: (UInt32, UInt32)) -> String {
        let model = field("model name", of: "/proc/cpuinfo") ?? "processor unknown"
        let kernel = text("/proc/sys/kernel/osrelease") ?? "kernel unknown"
        let governor = text("/sys/devices/system/cpu/cpu\(cpus.0)/cpufreq/scaling_governor") ?? "no governor visible"
        let load = text("/proc/loadavg") ?? "?"
        return "\(model); Linux \(kernel); \(governor); CPUs \(cpus.0) and \(cpus.1); load before: \(load)"
    }

    private static func text(_ path: String) -> String? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        return String(text.prefix { $0 != "\n" })
    }

    private static func field(_ name: String, of path: String) -> String? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix(name) {
            return line.split(separator: ":", maxSplits: 1).last.map { String($0.drop { $0 == " " }) }
        }
        return nil
    }
}
