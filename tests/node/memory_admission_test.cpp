// SPDX-License-Identifier: Apache-2.0
#include "node/limits/memory_admission.hpp"

#include <random>

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

constexpr uint64_t mib = 1u << 20;

config::limits_section policy_of(uint64_t reserve_mib = 0,
                                 uint64_t overcommit = 100,
                                 uint64_t growth = 25) {
  return {.memory_reserve = {reserve_mib * mib},
          .memory_overcommit = overcommit,
          .child_growth = growth};
}

memory_claim random_claim(std::mt19937_64& dice) {
  return {.guest_bytes = (dice() % 4096 + 1) * mib,
          .is_child = dice() % 2 == 0,
          .limit_bytes = dice() % 4 == 0 ? (dice() % 2048 + 64) * mib : 0,
          .own_bytes = dice() % 2048 * mib};
}

} // namespace

TEST_CASE("a child is promised a part, a fresh VM all of its memory",
          "[node][memory_admission]") {
  const auto policy = policy_of();
  CHECK(promise_of({.guest_bytes = 1024 * mib}, policy)
        == 1024 * mib + vmm_overhead_bytes);
  CHECK(promise_of({.guest_bytes = 1024 * mib, .is_child = true}, policy)
        == 256 * mib + vmm_overhead_bytes);
  CHECK(
    promise_of({.guest_bytes = 1024 * mib, .limit_bytes = 100 * mib}, policy)
    == 100 * mib);
}

TEST_CASE("what a VM has taken is not promised again",
          "[node][memory_admission]") {
  const auto policy = policy_of();
  const auto claim = memory_claim{.guest_bytes = 1000 * mib};
  auto taken = claim;
  taken.own_bytes = 1000 * mib;
  CHECK(promised_to({claim, taken}, policy)
        == 1000 * mib + 2 * vmm_overhead_bytes);
  taken.own_bytes = 5000 * mib;
  CHECK(promised_to({taken}, policy) == 0);
}

TEST_CASE("a refusal has the numbers and the remedy",
          "[node][memory_admission]") {
  const auto refused =
    admit_memory({.guest_bytes = 1000 * mib}, {{.guest_bytes = 500 * mib}},
                 1200 * mib, policy_of(100));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::host_full);
  CHECK(refused.error().message
        == "the VM is to be promised 1048 MiB, the host can give 1200 MiB, "
           "100 MiB of that is kept, and 548 MiB is promised to 1 VMs; stop "
           "some, or change limits in the fleet file: child_growth is 25 %, "
           "memory_overcommit 100 %");
}

TEST_CASE("without overcommit no more is promised than there is",
          "[node][memory_admission][property][safety]") {
  std::mt19937_64 dice{31};
  for (int run = 0; run < 200; ++run) {
    const auto policy = policy_of(dice() % 512, 100, dice() % 100 + 1);
    const auto available = dice() % 65536 * mib;
    std::vector<memory_claim> claims;
    for (int i = 0; i < 40; ++i) {
      const auto claim = random_claim(dice);
      auto fresh = claim;
      fresh.own_bytes = 0; // its own lies in what is available, until seen
      if (admit_memory(fresh, claims, available, policy))
        claims.push_back(fresh);
    }
    uint64_t all = 0;
    for (const auto& x : claims)
      all += promise_of(x, policy);
    REQUIRE((claims.empty() || all + policy.memory_reserve.value <= available));
  }
}

TEST_CASE("what is refused is refused beside more, and with less memory",
          "[node][memory_admission][property]") {
  std::mt19937_64 dice{32};
  for (int run = 0; run < 500; ++run) {
    const auto policy =
      policy_of(dice() % 512, dice() % 400 + 1, dice() % 100 + 1);
    std::vector<memory_claim> claims;
    for (auto n = dice() % 8; n > 0; --n)
      claims.push_back(random_claim(dice));
    const auto asked = random_claim(dice);
    const auto available = dice() % 16384 * mib;
    const bool fits =
      admit_memory(asked, claims, available, policy).has_value();
    auto more = claims;
    more.push_back(random_claim(dice));
    if (!fits) {
      REQUIRE_FALSE(admit_memory(asked, more, available, policy));
      REQUIRE_FALSE(admit_memory(asked, claims, available / 2, policy));
    } else {
      REQUIRE(admit_memory(asked, claims, available * 2, policy));
    }
    auto any = policy;
    any.memory_overcommit = 0;
    REQUIRE(admit_memory(asked, more, available, any));
  }
}

TEST_CASE("numbers that are far too large do not wrap",
          "[node][memory_admission][safety]") {
  CHECK_FALSE(admit_memory({.guest_bytes = ~uint64_t{0}},
                           {{.guest_bytes = ~uint64_t{0}}}, 1024 * mib,
                           policy_of()));
}
