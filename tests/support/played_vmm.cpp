// SPDX-License-Identifier: Apache-2.0
#include "tests/support/played_vmm.hpp"

#include <algorithm>
#include <array>

namespace forkfleet::test {

status played_vmm::call(const std::string& name) {
  script_.calls.push_back(name);
  script_.on_call(name);
  return {};
}

capture_forecast played_vmm::next_forecast() {
  const auto result = script_.forecasts.front();
  if (script_.forecasts.size() > 1)
    script_.forecasts.pop_front();
  return result;
}

expected<capture_estimate> played_vmm::estimate(const capture_plan& plan,
                                                deadline_point) {
  if (std::ranges::count(script_.cannot_estimate, plan.mode) > 0)
    return fail(ec::unsupported, "not by this VM");
  return capture_estimate{.method = "played", .bytes = guest_page_bytes};
}

expected<capture_forecast> played_vmm::prepare(const capture_plan& plan,
                                               deadline_point) {
  plan_ = plan;
  script_.plans.push_back(plan);
  std::ignore = call("prepare");
  return next_forecast();
}

expected<capture_forecast> played_vmm::refine(deadline_point) {
  std::ignore = call("refine");
  return next_forecast();
}

expected<capture_result> played_vmm::drain(deadline_point) {
  std::ignore = call("drain");
  if (script_.drain_fails)
    return tl::unexpected(script_.drain_fails);
  const auto page = std::array<uint8_t, guest_page_bytes>{1};
  if (auto good = plan_.memory->write(0, page); !good)
    return tl::unexpected{good.error()};
  return capture_result{.method = "played",
                        .memory_bytes = 8192,
                        .written_bytes = plan_.memory->written_bytes()};
}

void played_vmm::commit(const std::string& root_hash) noexcept {
  script_.committed.push_back(root_hash);
  script_.tracked_since = root_hash;
}

} // namespace forkfleet::test
