// SPDX-License-Identifier: Apache-2.0
// guest_watch SOCKET [SECONDS]: prints once a second what an example guest
// does, as heard through the socket of its debug console.
#include <charconv>
#include <cstdio>
#include <limits>
#include <string>

#include "examples/guest_watch.hpp"

namespace forkfleet::guest {

namespace {

using namespace std::chrono_literals;
using milliseconds = std::chrono::duration<double, std::milli>;

constexpr auto connect_deadline = 10s;

void print(const watch_log& log, host_time from, host_time to) {
  const auto last = log.last();
  const auto spans = log.silences(from, to);
  const auto& state = log.state();
  std::printf(
    "counter=%llu ticks=%zu silence_p50_ms=%.3f silence_max_ms=%.3f "
    "gap_max_ms=%.3f gap_sum_ms=%.3f sweeps=%llu errors=%llu%s%s\n",
    static_cast<unsigned long long>(last ? last->counter : 0), spans.count,
    milliseconds(spans.p50).count(),
    milliseconds(log.longest_silence(from, to).duration()).count(),
    milliseconds(state.largest_gap).count(), milliseconds(state.lost).count(),
    static_cast<unsigned long long>(state.sweeps),
    static_cast<unsigned long long>(state.errors),
    state.errors != 0 ? " first_error=" : "", state.first_error.c_str());
  std::fflush(stdout);
}

int watch(const std::string& path, unsigned seconds) {
  const auto now = std::chrono::steady_clock::now();
  const auto opened = guest_watch::open(path, now + connect_deadline);
  if (!opened) {
    std::fprintf(stderr, "guest_watch: %s\n",
                 to_string(opened.error()).c_str());
    return 1;
  }
  auto from = std::chrono::steady_clock::now();
  for (unsigned i = 0; i < seconds && !(*opened)->ended(); ++i) {
    std::this_thread::sleep_until(from + 1s);
    print((*opened)->log(), from, from + 1s);
    from += 1s;
  }
  return (*opened)->state().errors == 0 ? 0 : 1;
}

} // namespace

} // namespace forkfleet::guest

int main(int argc, char** argv) {
  auto seconds = std::numeric_limits<unsigned>::max();
  const std::string count = argc == 3 ? argv[2] : "";
  const auto* end = count.data() + count.size();
  if (argc < 2 || argc > 3
      || (argc == 3
          && std::from_chars(count.data(), end, seconds).ptr != end)) {
    std::fprintf(stderr, "usage: guest_watch SOCKET [SECONDS]\n");
    return 2;
  }
  return forkfleet::guest::watch(argv[1], seconds);
}
