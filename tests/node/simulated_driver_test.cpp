// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/simulated_driver.hpp"

#include "tests/node/simulated_vmm_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

TEST_CASE_METHOD(vmm_fixture, "a child goes on where its parent stood",
                 "[node][simulated_driver]") {
  const auto vm = start();
  now += 700ms;
  REQUIRE(take(*vm));
  const auto file = unique_fd{memfd_create("memory", MFD_CLOEXEC)};
  auto page = std::vector<uint8_t>(guest_page_bytes);
  for (uint64_t at = 0; at < memory->bytes(); at += page.size()) {
    REQUIRE(memory->read(at, page));
    REQUIRE(
      ::pwrite(file.get(), page.data(), page.size(), static_cast<off_t>(at))
      == static_cast<ssize_t>(page.size()));
  }
  plan.id = {"child"};
  plan.snapshot = snapshot_files{.info = {.root_hash = "r1"},
                                 .contract = vm->contract(),
                                 .memory = flat_layout(path(file), 1 << 20),
                                 .vmstate_path = path(vmstate)};
  const auto child = start();
  CHECK(child->tracked_since() == "r1");
  CHECK(child->describe().vcpus == 2);
  CHECK(host->find({"child"})->image(now).tick == 700);
  now += 5ms;
  CHECK(host->find({"child"})->image(now).tick == 705);
}

TEST_CASE_METHOD(vmm_fixture, "a VM outlives the node that crashed",
                 "[node][simulated_driver][safety]") {
  const auto vm = start();
  auto crashes = 0;
  faults->set_crash([&] { ++crashes; });
  faults->add(stage::pause, {simulated_trouble::crash_after});
  CHECK_THROWS_AS(vm->pause(soon()), simulated_crash);
  CHECK(crashes == 1);
  auto next_life = simulated_driver{{.time = time, .host = host}};
  const auto found = next_life.adopt(plan, soon());
  REQUIRE(found);
  CHECK((*found)->health(soon()) == vmm_health::paused);
  CHECK((*found)->resume(soon()));
}

TEST_CASE_METHOD(vmm_fixture, "a VM that ended is gone, and its name free",
                 "[node][simulated_driver]") {
  const auto vm = start();
  CHECK(driver.start(plan, soon()).error().code == ec::vmm_refused);
  faults->add(stage::pause, {simulated_trouble::vm_ends});
  CHECK(vm->pause(soon()).error().code == ec::vmm_gone);
  CHECK(vm->resume(soon()).error().code == ec::vmm_gone);
  CHECK(vm->capabilities(soon()).error().code == ec::vmm_gone);
  CHECK(driver.adopt(plan, soon()).error().code == ec::vmm_gone);
  CHECK(driver.start(plan, soon()));
}
