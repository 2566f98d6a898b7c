// SPDX-License-Identifier: Apache-2.0
// A played VM over a simulated disk, and branches of it: for tests of what the
// pipeline decides.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include <catch2/catch.hpp>

#include "node/branch_run.hpp"
#include "tests/support/played_vmm.hpp"
#include "tests/support/simulated_disk.hpp"

namespace forkfleet::test {

struct played_branching {
  vmm_script script = {};
  simulated_disk_ptr disk = std::make_shared<simulated_disk>();
  disk_access access{
    .trouble = [](std::string_view) { return disk_trouble::none; },
    .crash = [] {},
    .is_over = [] { return false; },
    .wall = [this] { return ++wall; },
    .on_close = [](const branch_report&) {}};
  microseconds wall{1};
  deadline_point now = {};
  branch_cancel_ptr cancel = std::make_shared<branch_cancel>();
  branch_context context{
    .vmm = std::make_shared<played_vmm>(script),
    .store = open_store(disk, access),
    .journal = open_journal(disk, access),
    .host = {"h1"},
    .now = [this] { return now; },
    .cancel = cancel,
    .wait_until = [this](deadline_point x) { now = std::max(now, x); },
    .wall = [] { return microseconds{1'000'000}; },
    .tell = [](const fleet_event&) {}};

  static branch_request request(const std::string& operation,
                                branch_mode mode = branch_mode::automatic) {
    return {.operation = {operation},
            .sandbox = {"box"},
            .tag = {operation},
            .mode = mode};
  }
  branch_report branch(const branch_request& asked) {
    context.arrival = now;
    return run_branch(context, asked).report;
  }
  branch_report branch(const std::string& operation,
                       branch_mode mode = branch_mode::automatic) {
    return branch(request(operation, mode));
  }
  bool was_called(const std::string& name) const {
    return std::ranges::count(script.calls, name) > 0;
  }
  const sealed_snapshot& sealed(const std::string& tag) const {
    return disk->sealed.at({tag});
  }
};

} // namespace forkfleet::test
