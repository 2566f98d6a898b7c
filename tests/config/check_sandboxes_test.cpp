// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "config/check.hpp"

using namespace forkfleet;
using namespace forkfleet::config;

namespace {

struct sandbox_fixture {
  fleet_file fleet = {};

  sandbox_fixture() {
    fleet.hosts = {{.name = {"a"}}, {.name = {"b"}}};
    fleet.sandboxes = {{.name = {"s"}, .host = {"a"}, .kernel = "/k"},
                       {.name = {"t"}, .host = {"a"}, .kernel = "/k"}};
  }

  std::vector<std::string> wrong_paths() const {
    problem_list problems{"f"};
    const place_map nowhere;
    checker run{fleet, nowhere, problems};
    check_sandboxes(run);
    std::vector<std::string> result;
    for (const auto& each : std::move(problems).sorted())
      result.push_back(each.path);
    return result;
  }
};

using paths = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(sandbox_fixture, "sandboxes that agree are left alone",
                 "[config][check_sandboxes]") {
  CHECK(wrong_paths().empty());
}

TEST_CASE_METHOD(sandbox_fixture, "memory is whole pages within its limits",
                 "[config][check_sandboxes]") {
  auto& memory = fleet.sandboxes[0].memory.value;
  for (const auto good : {32ull << 20, 1ull << 40, (32ull << 20) + 4096}) {
    memory = good;
    CHECK(wrong_paths().empty());
  }
  for (const auto bad : {0ull, (32ull << 20) - 4096, (1ull << 40) + 4096, ~0ull,
                         (64ull << 20) + 1}) {
    memory = bad;
    CHECK(wrong_paths() == paths{"sandboxes[0].memory"});
  }
}

TEST_CASE_METHOD(sandbox_fixture, "no image is written to by two VMs",
                 "[config][check_sandboxes][safety]") {
  fleet.sandboxes[0].disks = {{.path = "/d"}};
  fleet.sandboxes[1].disks = {{.path = "/d"}};
  CHECK(wrong_paths() == paths{"sandboxes[1].disks[0].path"});
  fleet.sandboxes[1].disks[0].readonly = true;
  CHECK(wrong_paths().empty());
  fleet.sandboxes[1].disks[0].readonly = false;
  fleet.sandboxes[1].host = {"b"};
  CHECK(wrong_paths().empty());
}

TEST_CASE_METHOD(sandbox_fixture, "a VM is attached to once",
                 "[config][check_sandboxes][safety]") {
  for (auto& each : fleet.sandboxes) {
    each.kernel.clear();
    each.attach.qmp = "/run/q";
  }
  CHECK(wrong_paths() == paths{"sandboxes[1].attach.qmp"});
  fleet.sandboxes[1].attach = {"/run/r", "/run/r"};
  CHECK(wrong_paths() == paths{"sandboxes[1].attach.watchdog_qmp"});
}

TEST_CASE_METHOD(sandbox_fixture, "a kernel is needed by what is started here",
                 "[config][check_sandboxes]") {
  fleet.sandboxes[0].kernel.clear();
  CHECK(wrong_paths() == paths{"sandboxes[0].kernel"});
  fleet.sandboxes[0].driver = driver_kind::simulated;
  CHECK(wrong_paths().empty());
}

TEST_CASE_METHOD(sandbox_fixture, "each VMM has its own keys",
                 "[config][check_sandboxes]") {
  auto& x = fleet.sandboxes[0];
  x.binary = "/usr/bin/firecracker";
  CHECK(wrong_paths() == paths{"sandboxes[0].binary"});
  x.driver = driver_kind::firecracker;
  CHECK(wrong_paths().empty());
  x.disks = {{.path = "/d", .format = "raw"}};
  CHECK(wrong_paths().empty());
  x.disks[0].format = "qcow2";
  x.machine = "q35";
  x.qemu_arguments = {"-s"};
  CHECK(wrong_paths()
        == paths{"sandboxes[0].machine", "sandboxes[0].qemu_arguments",
                 "sandboxes[0].disks[0].format"});
}
