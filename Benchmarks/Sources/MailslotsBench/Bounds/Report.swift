import CBenchmarks

/// Prints as it goes, and remembers what was missed.
struct Report {
    private(set) var missed: [String] = []

    mutating func judge(_ what: String, passed: Bool) -> String {
        if !passed { missed.append(what) }
        return passed ? "pass" : "MISS"
    }

    mutating func void(_ what: String, because reason: String) {
        missed.append("\(what) (void)")
        print("  VOID: \(reason)")
    }

    mutating func show(_ contest: Contest, _ result: Contest.Result) {
        print("\(contest.title)")
        print("  timed: \(contest.timed)")
        show(contest.names.a, result.a, contest.unit)
        show(contest.names.b, result.b, contest.unit)
        let ratios = result.ratios
        var line = "  \(contest.names.a) / \(contest.names.b), pair by pair: \(ratios.median.text(2))"
        line += " (\(ratios.least.text(2)) to \(ratios.greatest.text(2)), \(result.a.count) pairs)"
        if case .none = contest.bound {
            line += ", no bound"
        } else {
            line += ", \(contest.bound): \(judge(contest.title, passed: contest.bound.allows(ratios.median)))"
        }
        print(line)
    }

    func show(_ name: String, _ outcomes: [Outcome], _ unit: Contest.Unit) {
        let spread = outcomes.spread
        let padded = name.padded(to: 12)
        switch unit {
        case .nanoseconds:
            var line = "  \(padded) p50 \(spread.median.text(0)) ns (\(spread.least.text(0)) to \(spread.greatest.text(0)))"
            if let all = outcomes.samples {
                line += ", p99 \(all.valueAtPercentile(99)), p99.9 \(all.valueAtPercentile(99.9)), max \(all.max) of \(all.totalCount)"
            }
            print(line)
        case .perSecond, .bytesPerSecond:
            let million = unit == .bytesPerSecond ? "MB/s" : "M/s"
            func millions(_ value: Double) -> String { (value / 1e6).text(1) }
            var line = "  \(padded) \(millions(spread.median)) \(million) (\(millions(spread.least)) to \(millions(spread.greatest)))"
            if let all = outcomes.samples {
                let slow = Double(BENCH_CHUNK) * 1e9 / Double(all.valueAtPercentile(99))
                line += ", in the slowest hundredth of \(all.totalCount) chunks \(millions(slow)) or less"
            }
            print(line)
        }
    }
}

extension String {
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}

extension Double {
    /// With so many digits after the point.
    func text(_ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let rounded = (self * scale).rounded()
        guard digits > 0, rounded.magnitude < 1e15 else { return String(Int(rounded.magnitude < 1e15 ? rounded : 0)) }
        let whole = Int(rounded.magnitude / scale)
        let rest = String(Int(rounded.magnitude) - whole * Int(scale))
        return (self < 0 ? "-" : "") + "\(whole)." + String(repeating: "0", count: digits - rest.count) + rest
    }
}
