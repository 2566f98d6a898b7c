// SPDX-License-Identifier: Apache-2.0
// What a host is kept from: guests that print for ever, a kernel without a
// packet filter, and more rights than are needed.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/doctor_protocol.hpp"
#include "node/qemu/keeper_link.hpp"
#include "tests/support/fleet_fixture.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/without_nf_tables.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t console_bytes = 256 * 1024;

struct confined_fleet : fleet_fixture {
  explicit confined_fleet(const std::string& sandboxes)
    : fleet_fixture{{.sandboxes = sandboxes, .limits = "  console: 256KiB\n"}} {
  }

  /// The tool's output; it must end with `code`.
  std::string run(std::vector<std::string> words, int code = 0) {
    words.insert(words.begin(), {program_path("forkfleet"), "--coordinator",
                                 "127.0.0.1:" + std::to_string(port())});
    const auto log = directory() + "/said";
    std::filesystem::remove(log);
    auto tool = program_run{words, log};
    const auto status = tool.wait(180s);
    auto file = std::ifstream{log};
    auto text = std::string{std::istreambuf_iterator<char>{file}, {}};
    INFO(text);
    CHECK(WEXITSTATUS(status) == code);
    return text;
  }

  uint64_t printed(const std::string& name) {
    struct stat about = {};
    return ::stat(sandbox(name).console.c_str(), &about) == 0
             ? static_cast<uint64_t>(about.st_size)
             : 0;
  }

  uint64_t on_disk(const std::string& name) {
    struct stat about = {};
    REQUIRE(::stat(sandbox(name).console.c_str(), &about) == 0);
    return static_cast<uint64_t>(about.st_blocks) * 512;
  }

  /// It prints much more, and is cut back again.
  void check_ring(const std::string& name) {
    INFO(name);
    const auto begin = printed(name);
    // A busy machine's guest prints 10 KiB a second.
    REQUIRE(eventually(
      [&] { return printed(name) > begin + 3 * console_bytes; }, 120s));
    CHECK(eventually([&] { return on_disk(name) < 2 * console_bytes; }));
  }
};

std::string line_of(const std::string& path, const std::string& word) {
  auto file = std::ifstream{path};
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(word + ":"))
      return line.substr(line.find_first_not_of("\t ", word.size() + 1));
  return {};
}

std::string status_of(pid_t pid) {
  return "/proc/" + std::to_string(pid) + "/status";
}

} // namespace

TEST_CASE("a guest that prints for ever does not fill the disk",
          "[end_to_end][vm][confinement][console][safety]") {
  if (agent_sandbox("box", "h1").empty())
    return skip("no example guest with an agent; run ./dev guest");
  confined_fleet fleet{agent_sandbox("box", "h1")};
  fleet.start();
  fleet.run({"wait", "box", "--for", "ready", "--timeout", "120s"});
  fleet.run({"exec", "box", "--", "sh", "-c",
             "yes what a guest prints for ever >/dev/ttyS0 2>&1 &"});
  fleet.check_ring("box");
  CHECK_THAT(fleet.run({"logs", "box"}),
             Catch::Contains("are not kept any more"));

  INFO("without a node, by its keeper");
  const auto keeper_of = [&](const std::string& name) {
    const auto link = qemu::keeper_link::connect(
      fleet.sandbox(name).directory + "/" + qemu::keeper_socket,
      std::chrono::steady_clock::now() + 10s);
    REQUIRE(link);
    return link->identity().keeper.pid;
  };
  const auto console = fleet.sandbox("box").console;
  fleet.kill_node("h1");
  const auto before = std::filesystem::file_size(console);
  REQUIRE(eventually([&] {
    return std::filesystem::file_size(console) > before + 4 * console_bytes;
  }));
  struct stat about = {};
  CHECK(eventually([&] {
    REQUIRE(::stat(console.c_str(), &about) == 0);
    return static_cast<uint64_t>(about.st_blocks) * 512 < 2 * console_bytes;
  }));
  fleet.start_node("h1");
  REQUIRE(eventually([&] { return fleet.is_ready(); }));
  fleet.check_ring("box");

  INFO("a child, and by its node, for its keeper hangs");
  fleet.run({"branch", "box", "--tag", "loud"});
  fleet.run({"restore", "loud", "--name", "kid", "--wait", "started"});
  fleet.check_ring("kid");
  // One that died would take the VM of a test with it.
  const auto keeper = keeper_of("kid");
  ::kill(keeper, SIGSTOP);
  fleet.check_ring("kid");
  ::kill(keeper, SIGCONT);
}

TEST_CASE("a host without nf_tables runs all that needs none",
          "[end_to_end][vm][confinement][network][safety]") {
  if (guest_sandbox("box", "h1", "96MiB").empty())
    return skip("no example guest; run ./dev guest");
  without_nf_tables([] {
    confined_fleet fleet{guest_sandbox("box", "h1", "96MiB")};
    fleet.start();
    CHECK_THAT(fleet.run({"nodes", "-o", "wide"}),
               Catch::Contains("the kernel has no nf_tables"));
    fleet.run({"branch", "box", "--tag", "snap"});
    fleet.run({"restore", "snap", "--name", "kid", "--wait", "started"});
    // What is looked at for it must not end the node either.
    fleet.run({"fsck"});
    CHECK_THAT(fleet.run({"doctor"}, 10), Catch::Contains("nf_tables"));
    CHECK(fleet.node("h1").is_running());
    CHECK(fleet.is_ready());
  });
}

TEST_CASE("a fleet's VMs have users of their own, and its node few rights",
          "[end_to_end][vm][confinement][safety]") {
  if (guest_sandbox("box", "h1", "96MiB").empty())
    return skip("no example guest; run ./dev guest");
  if (::geteuid() != 0)
    return skip("not root: VMs cannot have users of their own");
  confined_fleet fleet{guest_sandbox("box", "h1", "96MiB")};
  fleet.start();
  fleet.run({"branch", "box", "--tag", "snap"});
  fleet.run({"restore", "snap", "--name", "kid", "--wait", "started"});
  const auto user = [&](const std::string& name) {
    const auto path = status_of(static_cast<pid_t>(fleet.sandbox(name).pid));
    INFO(path);
    CHECK(line_of(path, "CapEff") == "0000000000000000");
    CHECK(line_of(path, "CapBnd") == "0000000000000000");
    CHECK(line_of(path, "NoNewPrivs") == "1");
    CHECK(line_of(path, "Seccomp") == "2");
    return line_of(path, "Uid");
  };
  const auto first = user("box");
  CHECK_THAT(first, Catch::StartsWith("400"));
  CHECK(user("kid") != first);
  const auto node = status_of(fleet.node("h1").pid());
  CHECK(line_of(node, "NoNewPrivs") == "1");
  const auto rights =
    std::strtoull(line_of(node, "CapBnd").c_str(), nullptr, 16);
  // Neither to load modules, nor to set the clock, nor to make devices.
  for (const int capability : {16, 25, 27})
    CHECK((rights >> capability & 1) == 0);
  CHECK_THAT(fleet.run({"nodes", "-o", "wide"}),
             Catch::Contains("own user of 4000000000-4000999999"));
  const auto report =
    fleet.ask<doctor_report>(doctor_request{.host = {"h1"}}, 60s);
  REQUIRE(report);
  const auto confinement =
    std::ranges::find(report->checks, "confinement", &host_check::name);
  REQUIRE(confinement != report->checks.end());
  CHECK(confinement->state == check_state::ok);

  INFO("another VM under the name, and another life of the node");
  fleet.run({"rollback", "box", "snap", "--no-safety"});
  CHECK(user("box") != user("kid"));
  fleet.kill_node("h1");
  fleet.start_node("h1");
  REQUIRE(eventually([&] { return fleet.is_ready(); }));
  user("box");
  fleet.run({"branch", "kid", "--tag", "again"});
  fleet.run({"promote", "kid"});
  user("box");
  fleet.run({"fsck", "--young", "5s"});
}
