// SPDX-License-Identifier: Apache-2.0
#include "node/limits/cgroup_plan.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

TEST_CASE("each limit has its file", "[node][cgroup_plan]") {
  const auto all = settings_for({.memory_bytes = 512ull << 20,
                                 .cpu_percent = 150,
                                 .pids = 64,
                                 .read_bytes = 1u << 20},
                                "8:0");
  CHECK(all
        == std::vector<cgroup_setting>{
          {"memory", "memory.max", "536870912"},
          {"cpu", "cpu.max", "150000 100000"},
          {"pids", "pids.max", "64"},
          {"io", "io.max", "8:0 rbps=1048576 wbps=max"}});
  CHECK(settings_for({}, "8:0").empty());
}

TEST_CASE("without a disk there is nothing to write for io",
          "[node][cgroup_plan]") {
  const auto all = settings_for({.write_bytes = 1u << 20}, "");
  REQUIRE(all.size() == 1);
  CHECK(all[0].text.empty());
}

TEST_CASE("the mount of cgroup v2 is found", "[node][cgroup_plan]") {
  CHECK(cgroup_mount("30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 "
                     "cgroup2 rw\n")
        == "/sys/fs/cgroup");
  CHECK(cgroup_mount("1 2 0:3 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
                     "4 2 0:5 / /a\\040b rw - cgroup2 x rw\n")
        == "/a b");
  CHECK(cgroup_mount("1 2 0:3 / / rw - ext4 /dev/vda rw\n").empty());
}

TEST_CASE("a process' own cgroup is found", "[node][cgroup_plan]") {
  CHECK(cgroup_of("9:name=systemd:/x\n0::/\n") == "/");
  CHECK(cgroup_of("0::/system.slice/node.service\n")
        == "/system.slice/node.service");
  CHECK(cgroup_of("9:name=systemd:/x\n").empty());
}

TEST_CASE("a cgroup is told from those of another node",
          "[node][cgroup_plan][safety]") {
  const auto ours = cgroup_prefix("/var/lib/forkfleet/f/h1");
  const auto theirs = cgroup_prefix("/var/lib/forkfleet/f/h2");
  CHECK(ours != theirs);
  CHECK(sandbox_of_cgroup(ours + "s1", ours).value == "s1");
  CHECK(sandbox_of_cgroup(theirs + "s1", ours).empty());
  CHECK(sandbox_of_cgroup("s1", ours).empty());
}

TEST_CASE("a request's limits have ranges", "[node][cgroup_plan]") {
  CHECK(wrong_limit({}).empty());
  CHECK(wrong_limit({.memory_bytes = limited_memory_min,
                     .cpu_percent = 5,
                     .pids = 16,
                     .read_bytes = limited_rate_min})
          .empty());
  CHECK_FALSE(wrong_limit({.memory_bytes = 1}).empty());
  CHECK_FALSE(wrong_limit({.cpu_percent = 1}).empty());
  CHECK_FALSE(wrong_limit({.pids = 1}).empty());
  CHECK_FALSE(wrong_limit({.write_bytes = 1}).empty());
}

TEST_CASE("what a child is given goes before what it inherits",
          "[node][cgroup_plan]") {
  const auto both = merge({.pids = 20}, {.cpu_percent = 50, .pids = 99});
  CHECK(both == sandbox_limits{.cpu_percent = 50, .pids = 20});
}
