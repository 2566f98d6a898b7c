// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/figures.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet::shell;
using namespace std::chrono_literals;

TEST_CASE("durations have three digits and a fitting unit",
          "[actors][shell][figures]") {
  CHECK(duration_text(0us) == "0 µs");
  CHECK(duration_text(870us) == "870 µs");
  CHECK(duration_text(999us, false) == "999 us");
  CHECK(duration_text(1420us) == "1.42 ms");
  CHECK(duration_text(9996us) == "10.0 ms");
  CHECK(duration_text(14870us) == "14.9 ms");
  CHECK(duration_text(312ms) == "312 ms");
  CHECK(duration_text(999'499us) == "999 ms");
  CHECK(duration_text(999'500us) == "1.00 s");
  CHECK(duration_text(59'949ms) == "59.9 s");
  CHECK(duration_text(59'951ms) == "1m 00s");
  CHECK(duration_text(125s) == "2m 05s");
  CHECK(duration_text(190min) == "3h 10m");
  CHECK(duration_text(98h) == "4d 2h");
  CHECK(duration_text(-5us) == "0 µs");
}

TEST_CASE("sizes are whole where they are", "[actors][shell][figures]") {
  CHECK(size_text(0) == "0 B");
  CHECK(size_text(4096) == "4096 B");
  CHECK(size_text(512ull << 20) == "512 MiB");
  CHECK(size_text(3ull << 29) == "1.50 GiB");
  CHECK(size_text(12345) == "12.1 KiB");
  CHECK(size_text(~0ull) == "16777216 TiB");
}

TEST_CASE("times are RFC 3339 with milliseconds", "[actors][shell][figures]") {
  CHECK(time_text(1'767'225'600'123'456us) == "2026-01-01T00:00:00.123Z");
  CHECK(time_text(0us).empty());
}

TEST_CASE("ages never are negative", "[actors][shell][figures]") {
  CHECK(age_text(10s, 15s) == "5s");
  CHECK(age_text(15s, 10s) == "0s");
  CHECK(age_text(1s, 126s) == "2m 05s");
  CHECK(age_text(0s, 100s).empty());
}

TEST_CASE("percentiles go by nearest rank", "[actors][shell][figures]") {
  CHECK(percentile({}, 50) == 0us);
  CHECK(percentile({7us}, 90) == 7us);
  CHECK(percentile({4us, 1us}, 50) == 1us);
  CHECK(percentile({1us, 2us, 3us, 4us, 5us, 6us, 7us, 8us, 9us, 10us}, 90)
        == 9us);
  CHECK(percentile({3us, 1us, 2us}, 100) == 3us);
  CHECK(percentile({3us, 1us, 2us}, 0) == 1us);
}

TEST_CASE("a sparkline starts at zero and ends at the largest",
          "[actors][shell][figures]") {
  CHECK(sparkline({}).empty());
  CHECK(sparkline({0us, 0us}) == "▁▁");
  CHECK(sparkline({10us, 10us}) == "██");
  CHECK(sparkline({0us, 50us, 100us}) == "▁▅█");
  CHECK(sparkline({0us, 100us}, false) == ".@");
}

TEST_CASE("a long series shows its last values", "[actors][shell][figures]") {
  const std::vector<microseconds> series{100us, 0us, 10us};
  CHECK(sparkline(series, true, 2) == "▁█");
}
