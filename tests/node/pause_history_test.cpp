// SPDX-License-Identifier: Apache-2.0
#include "node/pause_history.hpp"

#include <random>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t mib = 1 << 20;

const auto full = pause_kind{.method = "vmm-full", .file_system = "ext4"};
const auto diff = pause_kind{
  .method = "vmm-diff", .scope = capture_scope::changed, .file_system = "ext4"};

/// What a host does: so long for itself, and so long for a byte.
struct host_law {
  double floor_us = 5000;
  double us_per_mib = 1000;

  microseconds pause(uint64_t bytes) const {
    const auto size = static_cast<double>(bytes) / static_cast<double>(mib);
    return microseconds{static_cast<int64_t>(floor_us + us_per_mib * size)};
  }
};

/// Disturbed by up to a fifth, and now and then by much.
microseconds disturbed(microseconds pause, std::mt19937_64& dice) {
  const auto share = 80 + static_cast<int64_t>(dice() % 41);
  return pause * (dice() % 12 == 0 ? 10 * share : share) / 100;
}

} // namespace

TEST_CASE("a pause that was never seen is not predicted",
          "[node][pause_history]") {
  const auto history = pause_history{};
  CHECK_FALSE(history.predict(full, mib));
  CHECK_FALSE(history.usual_bytes(full));
  CHECK_FALSE(history.is_due(full));
}

TEST_CASE("what was seen is predicted, whatever the host's pace",
          "[node][pause_history][property]") {
  const auto seed = GENERATE(range(1u, 41u));
  auto dice = std::mt19937_64{seed};
  const auto law =
    host_law{.floor_us = static_cast<double>(dice() % 300'000),
             .us_per_mib = static_cast<double>(20 + dice() % 40'000)};
  auto history = pause_history{};
  for (int i = 0; i < 12; ++i) {
    const auto bytes = (1 + dice() % 1000) * mib;
    history.learn(full, {bytes, disturbed(law.pause(bytes), dice)});
  }
  const auto asked = 500 * mib;
  const auto told = history.predict(full, asked);
  REQUIRE(told);
  CAPTURE(seed, law.floor_us, law.us_per_mib, told->pause.count());
  CHECK(told->pause > law.pause(asked) / 2);
  CHECK(told->pause < law.pause(asked) * 2);
  CHECK(told->samples == 12);
}

TEST_CASE("a prediction never falls as the bytes grow",
          "[node][pause_history][property]") {
  const auto seed = GENERATE(range(1u, 41u));
  auto dice = std::mt19937_64{seed};
  auto history = pause_history{};
  const auto count = 1 + dice() % 16;
  for (uint64_t i = 0; i < count; ++i)
    history.learn(full,
                  {dice() % (2000 * mib),
                   microseconds{static_cast<int64_t>(dice() % 5'000'000)}});
  auto before = microseconds{0};
  for (uint64_t bytes = 0; bytes < 4000 * mib; bytes += 100 * mib) {
    const auto now = history.predict(full, bytes)->pause;
    CHECK(now >= before);
    before = now;
  }
}

TEST_CASE("one kind's pauses tell nothing of another kind",
          "[node][pause_history][safety]") {
  auto history = pause_history{};
  history.learn(diff, {17 * mib, 100ms});
  for (int i = 0; i < 16; ++i)
    history.learn(full, {256 * mib, 3s});
  CHECK(history.predict(diff, 17 * mib)->pause == 100ms);
  auto elsewhere = diff;
  elsewhere.file_system = "tmpfs";
  CHECK_FALSE(history.predict(elsewhere, mib));
  auto unread = full;
  unread.is_resident = false;
  CHECK_FALSE(history.predict(unread, mib));
}

TEST_CASE("a host that became slower is followed", "[node][pause_history]") {
  auto history = pause_history{};
  for (int i = 0; i < 40; ++i)
    history.learn(diff, {10 * mib, 10ms});
  for (std::size_t i = 0; i < pause_history::samples_max; ++i)
    history.learn(diff, {10 * mib, 80ms});
  CHECK(history.predict(diff, 10 * mib)->pause == 80ms);
}

TEST_CASE("its size is bounded, and what was used last stays",
          "[node][pause_history]") {
  auto history = pause_history{};
  const auto kind = [](std::size_t i) {
    return pause_kind{.method = std::to_string(i)};
  };
  for (std::size_t i = 0; i < 2 * pause_history::kinds_max; ++i) {
    history.learn(kind(i), {mib, 1ms});
    history.learn(full, {mib, 7ms});
  }
  CHECK(history.predict(full, mib)->pause == 7ms);
  CHECK_FALSE(history.predict(kind(0), mib));
  for (int i = 0; i < 100; ++i)
    history.learn(full, {mib, 9ms});
  CHECK(history.predict(full, mib)->samples == pause_history::samples_max);
}

TEST_CASE("what is refused again and again is tried once in a while",
          "[node][pause_history][safety]") {
  auto history = pause_history{};
  history.learn(full, {256 * mib, 1600ms});
  const auto refusals_until_due = [&history] {
    uint64_t count = 0;
    for (; !history.is_due(full); ++count)
      history.refused(full, 1600ms);
    return count;
  };
  // Each try that bears the prediction out puts the next one off.
  auto before = refusals_until_due();
  CHECK(before == pause_history::refusals_first);
  for (int i = 0; i < 10; ++i) {
    history.begin(full);
    CHECK_FALSE(history.is_due(full));
    history.learn(full, {256 * mib, 1600ms});
    const auto now = refusals_until_due();
    CHECK(now == std::min(before * 2, pause_history::refusals_max));
    before = now;
  }
  // One that does not, makes the next due soon.
  history.begin(full);
  history.learn(full, {256 * mib, 100ms});
  CHECK(refusals_until_due() == pause_history::refusals_first);
}

TEST_CASE("a try that came to nothing is not repeated at once",
          "[node][pause_history][safety]") {
  auto history = pause_history{};
  while (!history.is_due(full))
    history.refused(full, 9s);
  history.begin(full);
  CHECK_FALSE(history.is_due(full));
  for (uint64_t i = 0; i < pause_history::refusals_first; ++i)
    history.refused(full, 9s);
  CHECK_FALSE(history.is_due(full));
}
