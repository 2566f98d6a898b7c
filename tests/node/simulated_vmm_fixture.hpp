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
#include "node/storage/flat_sink.hpp"

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
  unique_fd memory{memfd_create("memory", MFD_CLOEXEC)};
  unique_fd vmstate{memfd_create("vmstate", MFD_CLOEXEC)};
  flat_sink sink{memory.get(), "memory"};
  start_plan plan{.id = {"s1"}, .spec = {.memory = {1 << 20}, .vcpus = 2}};

  vmm_ptr start() {
    auto vm = driver.start(plan, now + 10s);
    REQUIRE(vm);
    return *vm;
  }
  deadline_point soon() const { return now + 1s; }
  capture_plan capture() {
    return {.operation = {"op"}, .memory = &sink, .vmstate_fd = vmstate.get()};
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
