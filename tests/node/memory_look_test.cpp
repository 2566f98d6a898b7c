// SPDX-License-Identifier: Apache-2.0
#include "node/limits/memory_look.hpp"

#include <filesystem>
#include <fstream>
#include <limits>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/durable_file.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

constexpr auto unlimited = std::numeric_limits<uint64_t>::max();

/// Processes whose memory the test says.
struct played_host {
  scratch_directory place = {};
  pause_gate_ptr gate = std::make_shared<pause_gate>();
  uint64_t available = 1000;
  std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now();
  memory_look look{{.processes = place.path(),
                    .available = [this] { return available; },
                    .cgroup_room = [] { return unlimited; },
                    .gate = gate}};

  void set(uint64_t pid, uint64_t kib) {
    const auto folder = place.path() + "/" + std::to_string(pid);
    std::filesystem::create_directories(folder);
    std::ofstream{folder + "/smaps_rollup"} << "Pss:   " << kib << " kB\n";
  }
  uint64_t seen(const memory_targets& targets, const std::string& id) {
    return look.take(targets, now).vms[{id}].shared_bytes;
  }
};

} // namespace

TEST_CASE("page cache is not a VM's own", "[node][memory_look]") {
  const auto use = use_in("00400000-7fff0000 ---p 00000000 00:00 0 [rollup]\n"
                          "Rss:   900 kB\nPss:   300 kB\nPss_Anon: 100 kB\n"
                          "Pss_File: 180 kB\nPss_Shmem: 20 kB\n");
  CHECK(use == memory_use{300u << 10, 120u << 10});
  CHECK(use_in("") == memory_use{});
  CHECK(use_in("Pss: 8 kB\n") == memory_use{8u << 10, 8u << 10});
}

TEST_CASE("the room of a cgroup counts what can be reclaimed",
          "[node][memory_look]") {
  CHECK(room_in("1000\n", "700\n", "anon 5\ninactive_file 300\n") == 600);
  CHECK(room_in("1000\n", "700\n", "inactive_file 1\ntotal_inactive_file 300\n")
        == 600);
  CHECK(room_in("1000\n", "1700\n", "") == 0);
  CHECK(room_in("max\n", "700\n", "") == unlimited);
  CHECK(room_in("9223372036854771712\n", "700\n", "") == unlimited);
  CHECK(room_in("", "", "") == unlimited);
}

TEST_CASE("this process takes memory", "[node][memory_look]") {
  const auto text = read_small_file("/proc/self/smaps_rollup");
  REQUIRE(text);
  CHECK(use_in(*text).shared_bytes > 100'000);
  CHECK(own_cgroup_room() > 0);
}

TEST_CASE_METHOD(played_host, "a VM is looked at only so often",
                 "[node][memory_look]") {
  set(10, 4);
  CHECK(seen({{{"a"}, 10}}, "a") == 4096);
  set(10, 8);
  now += 1s;
  CHECK(seen({{{"a"}, 10}}, "a") == 4096);
  now += look_interval;
  CHECK(seen({{{"a"}, 10}}, "a") == 8192);
  set(11, 16);
  CHECK(seen({{{"a"}, 11}}, "a") == 16384);
  CHECK(look.take({}, now).vms.empty());
}

TEST_CASE_METHOD(played_host, "nobody looks while a guest stands",
                 "[node][memory_look][safety]") {
  set(10, 4);
  {
    const pause_mark standing{gate.get()};
    const auto sample = look.take({{{"a"}, 10}}, now);
    CHECK(sample.vms.empty());
    CHECK(sample.available_bytes == 1000);
  }
  CHECK(seen({{{"a"}, 10}}, "a") == 4096);
}

TEST_CASE_METHOD(played_host, "many VMs take their turns",
                 "[node][memory_look]") {
  memory_targets all;
  for (uint64_t i = 0; i < 2 * looks_max + 1; ++i) {
    set(100 + i, 4);
    all[{"s" + std::to_string(i)}] = 100 + i;
  }
  CHECK(look.take(all, now).vms.size() == looks_max);
  CHECK(look.take(all, now).vms.size() == 2 * looks_max);
  CHECK(look.take(all, now).vms.size() == all.size());
}
