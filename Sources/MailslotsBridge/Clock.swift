#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// The times that a bridge asks for, in nanoseconds.
package struct BridgeClock: Sendable {
    /// Since 1970, for what other hosts see. A test may have one that goes wrong.
    package var real: @Sendable () -> UInt64

    package init(real: @escaping @Sendable () -> UInt64 = { BridgeClock.time(of: CLOCK_REALTIME) }) { self.real = real }

    /// Never set back: for whatever is to happen later.
    package static var monotonic: Int64 { Int64(time(of: CLOCK_MONOTONIC)) }

    private static func time(of clock: clockid_t) -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

extension Duration {
    /// At most some 292 years.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflows ? .max : whole.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
    }
}
