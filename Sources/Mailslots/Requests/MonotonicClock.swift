#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// Nanoseconds of CLOCK_MONOTONIC, which all processes of a machine share.
enum MonotonicClock {
    static let never = Int64.max

    static var now: Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// When a time-out that begins now ends.
    static func deadline(_ timeout: MailslotTimeout) -> Int64 {
        guard let duration = timeout.duration else { return never }
        let (sum, overflows) = now.addingReportingOverflow(MailslotTimeout(duration).nanoseconds)
        return overflows ? never : sum
    }

    /// What is left until a deadline.
    static func left(until deadline: Int64) -> MailslotTimeout {
        deadline == never ? .forever : MailslotTimeout(nanoseconds: max(deadline - now, 0))
    }
}
