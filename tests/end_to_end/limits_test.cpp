// SPDX-License-Identifier: Apache-2.0
// Limits of real VMs: cgroups that come and go with them, whatever is killed
// in between, and refusals that name the limit.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/durable_file.hpp"
#include "node/limits/sandbox_cgroups.hpp"
#include "tests/support/guest_fleet.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

fleet_shape limited_shape(const std::string& more = {}) {
  auto guest = guest_sandbox("source", "h1", "128MiB",
                             "ff.rate_mib=5 ff.set_mib=16 ff.idle=sleep");
  return {.sandboxes = guest + "    limits: {pids: 200, memory: 512MiB}\n",
          .limits = "  children_per_snapshot: 1\n  lineage_depth: 2\n" + more};
}

struct limited_fleet : fleet_fixture {
  explicit limited_fleet(const std::string& more = {})
    : fleet_fixture{limited_shape(more)} {}

  static bool can_run() {
    if (!guest_fleet::can_run())
      return false;
    const auto own = own_cgroup();
    if (!own.empty() && ::access(own.c_str(), W_OK) == 0)
      return true;
    skip("there is no cgroup v2 that we may write to");
    return false;
  }

  expected<restore_report> restore(const std::string& tag,
                                   const std::string& child,
                                   const sandbox_limits& limits = {}) {
    return ask<restore_report>(restore_request{.operation = {"op-" + child},
                                               .tag = {tag},
                                               .sandbox = {child},
                                               .limits = limits},
                               60s);
  }

  /// The processes of a sandbox' cgroup.
  static std::vector<std::string> processes_of(const sandbox_info& x) {
    return words_in(read_small_file(x.cgroup + "/cgroup.procs").value_or(""));
  }

  static void check_within(const sandbox_info& x) {
    const auto inside = processes_of(x);
    CAPTURE(x.id.value, x.cgroup, inside);
    CHECK(inside.size() == 2); // the VMM and its keeper
    CHECK(std::ranges::count(inside, std::to_string(x.pid)) == 1);
  }
};

/// Nothing of the fleet's is left below this process' cgroup.
bool has_cgroup_of(const std::string& data) {
  const auto prefix = cgroup_prefix_of(data);
  auto error = std::error_code{};
  for (const auto& entry :
       fs::directory_iterator{own_cgroup() + "/forkfleet", error})
    if (entry.path().filename().string().starts_with(prefix))
      return true;
  return false;
}

} // namespace

TEST_CASE("a VM's cgroup lives as long as the VM, and no longer",
          "[end_to_end][vm][limits][safety]") {
  if (!limited_fleet::can_run())
    return;
  limited_fleet fleet;
  fleet.start();
  const auto source = fleet.sandbox("source");
  CHECK(source.limits.pids == 200);
  CHECK(source.unenforced.empty()
        == (source.note.find("not all enforced") == std::string::npos));
  limited_fleet::check_within(source);
  fleet.kill_node("h1");
  limited_fleet::check_within(source);
  fleet.start_node("h1");
  REQUIRE(eventually([&] { return fleet.is_ready(); }));
  const auto again = fleet.sandbox("source");
  CHECK(again.pid == source.pid);
  CHECK(again.cgroup == source.cgroup);
  CHECK(again.limits == source.limits);
  CHECK(again.unenforced == source.unenforced);

  const auto taken =
    fleet.branch({.operation = {"b1"}, .sandbox = {"source"}, .tag = {"warm"}});
  REQUIRE(taken);
  REQUIRE_FALSE(taken->outcome);
  const auto child = fleet.restore("warm", "kid", {.pids = 100});
  REQUIRE(child);
  REQUIRE_FALSE(child->outcome);
  CHECK(child->sandbox.limits
        == sandbox_limits{.memory_bytes = 512u << 20, .pids = 100});
  limited_fleet::check_within(child->sandbox);
  CHECK(child->sandbox.cgroup != source.cgroup);

  const auto second = fleet.restore("warm", "kid-2");
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ec::limit_reached);
  CHECK(second.error().message.find("limits.children_per_snapshot")
        != std::string::npos);

  CHECK(fleet.ask<done>(stop_request{.sandbox = {"kid"}}, 60s));
  CHECK_FALSE(fs::exists(child->sandbox.cgroup));
  CHECK(fleet.ask<done>(stop_request{.sandbox = {"source"}}, 60s));
  CHECK_FALSE(has_cgroup_of(fleet.data_of("h1")));
}

TEST_CASE("children have the limits of a source that is gone",
          "[end_to_end][vm][limits][safety]") {
  if (!guest_fleet::can_run())
    return;
  limited_fleet fleet;
  fleet.start();
  const auto limits = fleet.sandbox("source").limits;
  CHECK(limits == sandbox_limits{.memory_bytes = 512u << 20, .pids = 200});
  const auto taken = fleet.branch({.operation = {"b1"},
                                   .sandbox = {"source"},
                                   .tag = {"warm"},
                                   .labels = {"stage=warm"}});
  REQUIRE(taken);
  REQUIRE_FALSE(taken->outcome);
  CHECK(fleet.ask<done>(stop_request{.sandbox = {"source"}}, 60s));
  const auto out =
    fleet.ask<archive_report>(export_request{.tag = {"warm"}}, 60s);
  REQUIRE(out);
  REQUIRE_FALSE(out->outcome);
  const auto in = fleet.ask<archive_report>(
    import_request{.file = "warm.ffsnap", .host = {"h1"}, .tag = {"elsewhere"}},
    60s);
  REQUIRE(in);
  REQUIRE_FALSE(in->outcome);
  for (const std::string tag : {"warm", "elsewhere"}) {
    CAPTURE(tag);
    const auto child = fleet.restore(tag, "kid-of-" + tag);
    REQUIRE(child);
    REQUIRE_FALSE(child->outcome);
    CHECK(child->sandbox.limits == limits);
    const auto known =
      fleet.ask<inspect_report>(inspect_request{.tag = {tag}}, 10s);
    REQUIRE(known);
    CHECK(known->snapshot.limits == limits);
    CHECK(known->snapshot.labels == std::vector<std::string>{"stage=warm"});
    CHECK(fleet.ask<done>(stop_request{.sandbox = {"kid-of-" + tag}}, 60s));
  }
}

TEST_CASE("a VM that ended while its node was dead leaves no cgroup",
          "[end_to_end][vm][limits]") {
  if (!limited_fleet::can_run())
    return;
  limited_fleet fleet;
  fleet.start();
  const auto before = fleet.sandbox("source");
  fleet.kill_node("h1");
  REQUIRE(::kill(static_cast<pid_t>(before.pid), SIGKILL) == 0);
  REQUIRE(
    eventually([&] { return limited_fleet::processes_of(before).empty(); }));
  // The fleet file brings it back, in a cgroup of the same name.
  fleet.start_node("h1");
  REQUIRE(eventually([&] { return fleet.is_ready(); }));
  const auto after = fleet.sandbox("source");
  CHECK(after.pid != before.pid);
  limited_fleet::check_within(after);
  CHECK(fleet.ask<done>(stop_request{.sandbox = {"source"}}, 60s));
  CHECK_FALSE(has_cgroup_of(fleet.data_of("h1")));
}

TEST_CASE("limits that must be enforced are, or the VM is not started",
          "[end_to_end][vm][limits][safety]") {
  if (!limited_fleet::can_run())
    return;
  limited_fleet fleet{"  enforce: require\n"};
  fleet.start_coordinator();
  fleet.start_node("h1");
  const auto has_ended = [&] {
    const auto x = fleet.sandbox("source");
    return x.state == sandbox_state::running
           || (x.state == sandbox_state::gone && x.note != "not listed");
  };
  REQUIRE(eventually(has_ended));
  const auto source = fleet.sandbox("source");
  if (source.state == sandbox_state::running) {
    CHECK(source.unenforced.empty());
    CHECK(read_small_file(source.cgroup + "/pids.max").value_or("") == "200\n");
    CHECK(fleet.ask<done>(stop_request{.sandbox = {"source"}}, 60s));
  } else {
    CHECK(source.note.find("limits.enforce") != std::string::npos);
    CHECK_FALSE(has_cgroup_of(fleet.data_of("h1")));
  }
}

TEST_CASE("a VM that the host has no memory for is not started",
          "[end_to_end][limits][safety]") {
  if (!guest_fleet::can_run())
    return;
  fleet_fixture fleet{{.sandboxes = guest_sandbox("huge", "h1", "1024GiB")}};
  fleet.start_coordinator();
  fleet.start_node("h1");
  const auto is_refused = [&] {
    return fleet.sandbox("huge").note.find("host_full") != std::string::npos;
  };
  CHECK(eventually(is_refused, 20s));
  const auto found = fleet.sandbox("huge");
  CAPTURE(found.note);
  CHECK(found.state == sandbox_state::gone);
  CHECK(found.note.find("promised 1048624 MiB") != std::string::npos);
}
