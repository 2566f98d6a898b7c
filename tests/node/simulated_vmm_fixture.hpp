// SPDX-License-Identifier: Apache-2.0
// A simulated VM under a time that the test moves, and the files of a branch.
#pragma once

#include <functional>
#include <string>
#include <sys/mman.h>
#include <vector>

#include <catch2/catch.hpp>

#include "actors/unique_fd.hpp"
#include "node/simulated/simulated_driver.hpp"
#include "tests/support/captured_memory.hpp"

namespace forkfleet::test {

using namespace std::chrono_literals;

struct vmm_fixture {
  deadline_point now{};
  simulated_time time{
    .now = [this] { return now; },
    .pass =
      [this](std::chrono::nanoseconds x) {
        now += std::chrono::duration_cast<deadline_point::duration>(x);
      }};
  simulated_faults_ptr faults = std::make_shared<simulated_faults>();
  simulated_host_ptr host = std::make_shared<simulated_host>();
  simulated_driver driver{{.time = time, .faults = faults, .host = host}};
  unique_fd vmstate{memfd_create("vmstate", MFD_CLOEXEC)};
  captured_memory_ptr memory = std::make_shared<captured_memory>(1 << 20);
  capture_base base = {}; // set: the next capture is of what changed
  start_plan plan{.id = {"s1"}, .spec = {.memory = {1 << 20}, .vcpus = 2}};

  vmm_ptr start() {
    auto vm = driver.start(plan, now + 10s);
    REQUIRE(vm);
    return *vm;
  }
  deadline_point soon() const { return now + 1s; }
  capture_plan capture() {
    const bool is_diff = !base.root_hash.empty();
    memory = std::make_shared<captured_memory>(1 << 20, base.image);
    return {.operation = {"op"},
            .mode = is_diff ? branch_mode::diff : branch_mode::full,
            .scope = is_diff ? capture_scope::changed : capture_scope::all,
            .base = base,
            .memory = memory.get(),
            .vmstate_fd = vmstate.get()};
  }
  /// The guest that was captured last.
  expected<guest_image> captured() const {
    const auto state = read_state(path(vmstate));
    if (!state)
      return tl::unexpected{state.error()};
    return read_guest(*memory, *state);
  }
  /// A whole capture; its memory is the next one's base when it is sealed.
  status take(vmm& vm) {
    if (auto done = run_to(vm, stage::resume); !done)
      return done;
    return vm.drain(soon()).map([](const auto&) {});
  }
  void seal(vmm& vm, const std::string& root_hash) {
    vm.commit(root_hash);
    base = {root_hash, memory};
  }
  std::string path(const unique_fd& fd) const {
    return "/proc/self/fd/" + std::to_string(fd.get());
  }
  status run_to(vmm& vm, stage last) {
    using step = std::function<status()>;
    const auto steps = std::vector<step>{
      [&] { return vm.prepare(capture(), soon()).map([](const auto&) {}); },
      [&] { return vm.pause(soon()); },
      [&] { return vm.capture(soon()); },
      [&] { return vm.resume(soon()); },
    };
    const auto count =
      static_cast<std::size_t>(last) - static_cast<std::size_t>(stage::track);
    for (std::size_t i = 0; i <= count && i < steps.size(); ++i)
      if (auto done = steps[i](); !done)
        return done;
    return {};
  }
};

} // namespace forkfleet::test
