import Foundation

/// Nanoseconds of a clock: CLOCK_MONOTONIC, which all processes share, or another.
func nanoseconds(_ clock: clockid_t = CLOCK_MONOTONIC) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

func median<Figure: Comparable>(_ figures: [Figure]) -> Figure { figures.sorted()[figures.count / 2] }
