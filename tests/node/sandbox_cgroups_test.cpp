// SPDX-License-Identifier: Apache-2.0
// Cgroups of this machine where it has cgroup v2 that we may write to; limits
// in a directory tree of the same shape, because its controllers may belong
// to somebody else.
#include "node/limits/sandbox_cgroups.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/durable_file.hpp"
#include "node/ledger/host_check.hpp"
#include "node/storage/sandbox_records.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;
using config::enforcement;
namespace fs = std::filesystem;

namespace {

void write(const std::string& path, const std::string& text = {}) {
  fs::create_directories(fs::path{path}.parent_path());
  std::ofstream{path} << text;
}

std::string text_at(const std::string& path) {
  return read_small_file(path).value_or("");
}

/// A directory tree that looks like a delegated cgroup.
struct played_tree {
  scratch_directory place = {};
  std::string base = place.path() + "/delegated";
  std::string data = place.path() + "/data";
  std::string cgroup = {};

  explicit played_tree(const std::string& controllers) {
    fs::create_directories(data);
    cgroup = sandbox_cgroups{base, data, enforcement::require}.path_of({"s1"});
    for (const auto& each : {base, base + "/forkfleet"}) {
      write(each + "/cgroup.controllers", controllers);
      write(each + "/cgroup.subtree_control", controllers);
    }
    for (const auto* file : {"memory.max", "cpu.max", "pids.max", "io.max"})
      write(cgroup + "/" + file);
  }

  expected<made_cgroup> make(enforcement how, const sandbox_limits& limits) {
    return sandbox_cgroups{base, data, how}.make({"s1"}, limits);
  }
};

/// This machine's cgroup v2; skipped without one that we may write to.
bool has_cgroups() {
  const auto own = own_cgroup();
  const auto probe = own + "/ff-probe-" + std::to_string(::getpid());
  if (!own.empty() && ::mkdir(probe.c_str(), 0755) == 0) {
    ::rmdir(probe.c_str());
    return true;
  }
  skip("there is no cgroup v2 that we may write to");
  return false;
}

/// A process that sleeps in a cgroup.
struct sleeper {
  pid_t pid;
  explicit sleeper(const std::string& cgroup) : pid{::fork()} {
    if (pid == 0) {
      std::ofstream{cgroup + "/cgroup.procs"} << "0" << std::flush;
      ::execl("/bin/sleep", "sleep", "1000", nullptr);
      ::_exit(127);
    }
    while (text_at(cgroup + "/cgroup.procs").empty())
      ::usleep(1000);
  }
  ~sleeper() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
};

deadline_point soon() {
  return std::chrono::steady_clock::now() + 5s;
}

} // namespace

TEST_CASE("limits are written where the controllers are",
          "[node][sandbox_cgroups]") {
  played_tree tree{"cpu memory pids"};
  const auto made =
    tree.make(enforcement::require,
              {.memory_bytes = 1u << 30, .cpu_percent = 50, .pids = 100});
  REQUIRE(made);
  CHECK(made->path == tree.cgroup);
  CHECK(made->unenforced.empty());
  CHECK(text_at(tree.cgroup + "/memory.max") == "1073741824");
  CHECK(text_at(tree.cgroup + "/cpu.max") == "50000 100000");
  CHECK(text_at(tree.cgroup + "/pids.max") == "100");
  CHECK(cgroup_places(tree.data)
        == std::vector<std::string>{tree.base + "/forkfleet"});
}

TEST_CASE("what cannot be enforced is refused, or said",
          "[node][sandbox_cgroups][safety]") {
  played_tree tree{"cpu"};
  const auto limits =
    sandbox_limits{.memory_bytes = 1u << 30, .cpu_percent = 50};
  const auto refused = tree.make(enforcement::require, limits);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::unsupported);
  CHECK(refused.error().message.find("memory: " + tree.base
                                     + " has no such controller")
        != std::string::npos);
  const auto taken = tree.make(enforcement::best_effort, limits);
  REQUIRE(taken);
  CHECK(taken->unenforced.find("memory") != std::string::npos);
  CHECK(taken->unenforced.find("cpu") == std::string::npos);
  CHECK(text_at(tree.cgroup + "/cpu.max") == "50000 100000");
}

TEST_CASE("places of earlier lives are remembered", "[node][sandbox_cgroups]") {
  const scratch_directory place;
  write(place.path() + "/cgroups", "/old/forkfleet\nnonsense\n");
  sandbox_cgroups later{place.path() + "/new", place.path(),
                        enforcement::best_effort};
  CHECK(later.make({"s"}, {.pids = 20}));
  CHECK(cgroup_places(place.path())
        == std::vector<std::string>{place.path() + "/new/forkfleet",
                                    "/old/forkfleet"});
}

TEST_CASE("places that cannot be read are not forgotten",
          "[node][sandbox_cgroups][safety]") {
  const scratch_directory place;
  CHECK(cgroup_places(place.path())->empty());
  std::filesystem::create_directory(place.path() + "/cgroups");
  CHECK_FALSE(cgroup_places(place.path()));
  sandbox_cgroups later{place.path() + "/new", place.path(),
                        enforcement::best_effort};
  CHECK_FALSE(later.make({"s"}, {.pids = 20}));
  CHECK(std::filesystem::is_directory(place.path() + "/cgroups"));
}

TEST_CASE("a cgroup is removed with what runs in it",
          "[node][sandbox_cgroups][safety]") {
  if (!has_cgroups())
    return;
  const scratch_directory place;
  sandbox_cgroups all{{}, place.path(), enforcement::best_effort};
  const auto made = all.make({"s1"}, {.pids = 20});
  REQUIRE(made);
  REQUIRE(fs::exists(made->path + "/cgroup.procs"));
  CHECK(all.make({"s1"}, {.pids = 20}));
  const sleeper inside{made->path};
  CHECK(remove_cgroup(made->path, 20ms, soon()));
  int how = 0;
  CHECK(::waitpid(inside.pid, &how, 0) == inside.pid);
  CHECK(WIFSIGNALED(how));
  CHECK_FALSE(fs::exists(made->path));
  CHECK(remove_cgroup(made->path, 20ms, soon()));
}

TEST_CASE("a cgroup stops and goes on as a whole", "[node][sandbox_cgroups]") {
  if (!has_cgroups())
    return;
  const scratch_directory place;
  sandbox_cgroups all{{}, place.path(), enforcement::best_effort};
  const auto made = all.make({"s1"}, {.pids = 20});
  REQUIRE(made);
  {
    const sleeper inside{made->path};
    std::ofstream{made->path + "/cgroup.freeze"} << "1" << std::flush;
    const auto until = soon();
    while (text_at(made->path + "/cgroup.events").find("frozen 1")
             == std::string::npos
           && std::chrono::steady_clock::now() < until)
      ::usleep(1000);
    CHECK(text_at(made->path + "/cgroup.events").find("frozen 1")
          != std::string::npos);
    // What is frozen ends all the same when it is killed.
    CHECK(remove_cgroup(made->path, 0ms, soon()));
  }
  CHECK_FALSE(fs::exists(made->path));
}

TEST_CASE("the ledger finds cgroups that nobody owns",
          "[node][sandbox_cgroups][ledger][safety]") {
  if (!has_cgroups())
    return;
  const scratch_directory place;
  const auto data_path = fs::canonical(place.path()).string() + "/data";
  sandbox_cgroups all{{}, data_path, enforcement::best_effort};
  sandbox_cgroups others{{}, data_path + "-2", enforcement::best_effort};
  {
    const auto data = data_directory::open(data_path);
    REQUIRE(data);
    REQUIRE(sandbox_records{*data}.save({.id = {"kept"}}));
    write((*data)->incarnation(), "1\n");
  }
  fs::create_directories(data_path + "-2");
  const auto kept = all.make({"kept"}, {.pids = 20}).value().path;
  const auto lost = all.make({"lost"}, {.pids = 20}).value().path;
  const auto foreign = others.make({"lost"}, {.pids = 20}).value().path;
  const auto report =
    check_data({.data = data_path}, {.repair = true, .all = true, .young = 0ms},
               std::chrono::duration_cast<microseconds>(
                 std::chrono::system_clock::now().time_since_epoch())
                 + 1s);
  REQUIRE(report);
  std::map<std::string, std::pair<ledger_state, std::string>> found;
  for (const auto& x : report->items)
    if (x.kind == ledger_kind::cgroup)
      found[x.where] = {x.state, x.repair};
  CHECK(found.size() == 2);
  CHECK(found[kept].first == ledger_state::owned);
  CHECK(found[lost] == std::pair{ledger_state::orphan, std::string{"removed"}});
  CHECK(fs::exists(kept));
  CHECK_FALSE(fs::exists(lost));
  CHECK(fs::exists(foreign));
  CHECK(remove_cgroup(kept, 0ms, soon()));
  CHECK(remove_cgroup(foreign, 0ms, soon()));
}

TEST_CASE("a cgroup tells whether its memory limit ended a VM",
          "[node][cgroups]") {
  const scratch_directory place{};
  const auto cgroup = place.path() + "/cgroup";
  CHECK(killed_for_memory(cgroup).empty());
  write(cgroup + "/memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 0\n");
  write(cgroup + "/memory.max", "100663296\n");
  CHECK(killed_for_memory(cgroup).empty());
  write(cgroup + "/memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\n");
  CHECK(killed_for_memory(cgroup)
        == "the kernel ended 2 of its processes, because its cgroup was at its "
           "memory limit of 100663296 bytes");
}
