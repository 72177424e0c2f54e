import Mailslots

/// The text format of Prometheus, version 0.0.4, as lines: https://prometheus.io/docs/instrumenting/exposition_formats
func prometheusText(_ infos: [MailslotInfo]) -> [String] {
    MailslotMetric.all.flatMap { metric in
        let name = metric.kind == .counter ? "\(metric.name)_total" : metric.name
        return ["# HELP \(name) \(metric.help)", "# TYPE \(name) \(metric.kind)"]
            + infos.map { "\(name){mailslot=\"\(escapedLabel($0.name))\"} \(metric.value($0))" }
    }
}

/// "Label value can be any sequence of UTF-8 characters, but the backslash, double-quote, and line feed have to be escaped."
func escapedLabel(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
}
