// SPDX-License-Identifier: Apache-2.0
#include "node/agent/guest_clock.hpp"

#include <algorithm>
#include <poll.h>

#include <fmt/format.h>

#include "actors/bounded_text.hpp"

namespace forkfleet {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int looks_max = 4;
/// An answer so fast is sure enough.
constexpr microseconds sure{3000};
/// Tries after which `clock_accepted` is enough, and after which a `date`
/// that takes parts of a second is taken to ignore them.
constexpr int patient_tries = 4;
constexpr microseconds first_guess{20'000};
constexpr microseconds second{1'000'000};

struct aim {
  microseconds at{0};   // our time when to begin
  microseconds sets{0}; // what the guest is told
};

/// What is set `ahead` after it began. Whole seconds have to be waited for.
aim aim_at(microseconds now, microseconds ahead, clock_grain grain) {
  if (grain == clock_grain::fraction)
    return {now, now + ahead};
  const auto sets = (now + ahead + second - microseconds{1}) / second * second;
  return {sets - ahead, sets};
}

void wait_for(const wall_clock& wall, microseconds at, deadline_point until) {
  const auto left = std::chrono::duration_cast<milliseconds>(at - wall());
  const auto most =
    std::chrono::duration_cast<milliseconds>(until - steady_clock::now());
  const auto pause =
    std::clamp(left, milliseconds{0}, std::max(most, milliseconds{0}));
  ::poll(nullptr, 0,
         static_cast<int>(std::min(pause, milliseconds{1000}).count()));
}

std::string date_text(microseconds time, clock_grain grain) {
  const auto seconds = time / second;
  return grain == clock_grain::fraction
           ? fmt::format("@{}.{:06}", seconds, (time % second).count())
           : fmt::format("@{}", seconds);
}

/// Whether the guest's `date` took it.
expected<bool> set_once(guest_agent& agent, const aim& x, clock_grain grain,
                        deadline_point until) {
  const auto ended = agent.run(
    {.path = "date", .arguments = {"-u", "-s", date_text(x.sets, grain)}},
    until);
  if (!ended)
    return tl::unexpected(ended.error());
  if (ended->status == 0 && ended->signal == 0)
    return true;
  if (grain == clock_grain::fraction)
    return false;
  return fail(ec::vmm_refused, "clock: the guest's date cannot set it: "
                                 + bounded_text(ended->errors));
}

bool is_good(const clock_reading& x, int tries) {
  const auto away = std::chrono::abs(x.difference());
  return (away <= clock_wanted && x.doubt <= 2 * clock_wanted)
         || (tries >= patient_tries && away + x.doubt <= clock_accepted);
}

/// What a slow answer explains is not held against it.
bool is_wrong(const clock_reading& x) {
  return std::chrono::abs(x.difference()) > clock_accepted + x.doubt;
}

} // namespace

expected<clock_reading> read_clock(guest_agent& agent, const wall_clock& wall,
                                   deadline_point until) {
  auto best = clock_reading{.doubt = microseconds::max()};
  for (int i = 0; i < looks_max && best.doubt > sure; ++i) {
    const auto begun = steady_clock::now();
    const auto told = agent.clock(until);
    if (!told)
      return tl::unexpected(told.error());
    const auto now = wall();
    const auto half =
      std::chrono::duration_cast<microseconds>(steady_clock::now() - begun) / 2;
    if (half < best.doubt)
      best = {.guest = *told, .host = now - half, .doubt = half};
  }
  return best;
}

expected<clock_reading> set_clock(guest_agent& agent, const wall_clock& wall,
                                  clock_grain grain, deadline_point until) {
  auto now = read_clock(agent, wall, until);
  auto ahead = first_guess;
  for (int i = 0; now && i < clock_tries_max; ++i) {
    if (is_good(*now, i))
      return now;
    if (i == patient_tries)
      grain = clock_grain::second;
    const auto next = aim_at(wall(), ahead, grain);
    wait_for(wall, next.at, until);
    const auto taken = set_once(agent, next, grain, until);
    if (!taken)
      return tl::unexpected(taken.error());
    if (!*taken) {
      grain = clock_grain::second;
      continue;
    }
    now = read_clock(agent, wall, until);
    if (now)
      ahead = std::clamp(ahead - now->difference(), microseconds{0},
                         microseconds{second * 5});
  }
  if (!now || !is_wrong(*now))
    return now;
  return fail(
    ec::vmm_refused,
    fmt::format("clock: it was set {} times, and the guest's is still "
                "{} ms away from the host's",
                clock_tries_max,
                std::chrono::abs(now->difference()) / milliseconds{1}));
}

} // namespace forkfleet
