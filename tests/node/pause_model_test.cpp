// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/pause_model.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet::qemu;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t mib = 1 << 20;

} // namespace

TEST_CASE("an idle guest's pause is the floor of the pauses before",
          "[node][qemu][pause_model]") {
  auto model = pause_model{};
  for (int i = 0; i < 40; ++i) {
    model.begin();
    model.scanned(100us);
    model.pass_ended(30 * mib, 0us);
    model.pass_ended(4096, 2000us);
    model.paused(900us, 0);
  }
  CHECK(model.is_settled());
  const auto forecast = model.forecast();
  CHECK(forecast.pause > 800us);
  CHECK(forecast.pause < 1000us);
  CHECK(forecast.passes == 2);
  CHECK(forecast.residual_bytes <= 4096);
}

TEST_CASE("a guest that writes faster than we copy cannot be refined",
          "[node][qemu][pause_model]") {
  auto model = pause_model{};
  model.begin();
  for (int i = 0; i < 60; ++i) {
    model.scanned(1000us);
    model.copied(100 * mib, 100'000us);
  }
  model.pass_ended(500 * mib, 0us);
  model.pass_ended(400 * mib, 400'000us);
  model.pass_ended(400 * mib, 400'000us);
  CHECK(model.is_settled());
  const auto forecast = model.forecast();
  CHECK(forecast.dirty_bytes_per_second == 1000 * mib);
  CHECK_FALSE(forecast.can_refine);
  CHECK(forecast.residual_bytes == 400 * mib);
  CHECK(forecast.pause > 300ms);
}

TEST_CASE("passes go on as long as they find much less",
          "[node][qemu][pause_model]") {
  auto model = pause_model{};
  model.begin();
  model.pass_ended(1000 * mib, 0us);
  CHECK_FALSE(model.is_settled());
  model.pass_ended(100 * mib, 500'000us);
  CHECK_FALSE(model.is_settled());
  CHECK(model.forecast().can_refine);
  model.pass_ended(95 * mib, 500'000us);
  CHECK(model.is_settled());
}

TEST_CASE("one pause that the host disturbed does not count",
          "[node][qemu][pause_model]") {
  auto model = pause_model{};
  model.scanned(100us);
  for (int i = 0; i < 5; ++i)
    model.paused(900us, 0);
  const auto before = model.forecast().pause;
  model.paused(600ms, 0);
  CHECK(model.forecast().pause == before);
}

TEST_CASE("the first pause of a VM is expected to be like those of others",
          "[node][qemu][pause_model]") {
  auto model = pause_model{};
  CHECK_FALSE(model.rests_on_pauses());
  model.assume_floor(80ms);
  CHECK(model.forecast().pause >= 80ms);
  model.paused(20ms, 0);
  CHECK(model.forecast().pause < 25ms);
  CHECK(model.rests_on_pauses());
}

TEST_CASE("a guest that outruns the passes is told from one that does not",
          "[node][qemu][pause_model]") {
  const bool is_fast = GENERATE(true, false);
  auto model = pause_model{};
  for (int i = 0; i < 60; ++i)
    model.copied(100 * mib, 100'000us);
  const auto found = (is_fast ? 400 : 4) * mib;
  model.pass_ended(500 * mib, 0us);
  for (int i = 0; i < 3; ++i)
    model.pass_ended(found, 400'000us);
  CHECK(model.forecast().converges != is_fast);
}
