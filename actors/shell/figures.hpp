// SPDX-License-Identifier: Apache-2.0
// Numbers for people: durations, sizes, points in time, quantiles, and a
// series as a sparkline. JSON never goes through here.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace forkfleet::shell {

using std::chrono::microseconds;

/// Three digits and a unit: "870 µs", "1.42 ms", "12.3 s", then "2m 05s",
/// "3h 10m", "4d 2h". Negative durations count as none. Without `utf8`, "us".
std::string duration_text(microseconds x, bool utf8 = true);

/// "512 MiB", "1.50 GiB", "4096 B"; three digits.
std::string size_text(uint64_t bytes);

/// A point in Unix time as "2026-01-31T12:00:05.123Z"; "" for 0.
std::string time_text(microseconds unix_time);

/// How long ago `unix_time` was, as a duration; "" for 0.
std::string age_text(microseconds unix_time, microseconds unix_now);

/// The value at `percent` of the sorted series, by nearest rank: p50 of two
/// values is the smaller. 0 of an empty series.
microseconds percentile(std::vector<microseconds> series, unsigned percent);

/// One character a value, from zero to the largest; the last `most` values
/// when there are more.
std::string sparkline(const std::vector<microseconds>& series, bool utf8 = true,
                      std::size_t most = 60);

} // namespace forkfleet::shell
