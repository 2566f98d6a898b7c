// SPDX-License-Identifier: Apache-2.0
// Archives that a stranger has made, imported and restored by the real
// programs: none runs a program, reads a file or stops a node.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "tests/support/disk_fleet.hpp"
#include "tests/support/doctored_archive.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

/// How the tool ended, and what it said.
struct tool_end {
  int code = -1;
  std::string text = {};
};

struct attack_fleet : disk_fleet {
  std::string archives = data_of("h1") + "/archives/";
  std::string canary = directory() + "/canary";

  attack_fleet() {
    start_guest();
    static_cast<void>(take("source", "good"));
    tool({"export", "good", "--file", "good.ffsnap"});
  }

  tool_end say(std::vector<std::string> words) {
    words.insert(words.begin(), program_path("forkfleet"));
    words.insert(words.end(),
                 {"--coordinator", "127.0.0.1:" + std::to_string(port())});
    const auto log = directory() + "/said.log";
    std::filesystem::remove(log);
    auto run = program_run{words, log};
    const int status = run.wait(120s);
    auto in = std::ifstream{log};
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            {std::istreambuf_iterator<char>{in}, {}}};
  }

  tool_end import(const std::string& tag, std::vector<std::string> more = {}) {
    more.insert(more.begin(),
                {"import", tag + ".ffsnap", "--host", "h1", "--tag", tag});
    return say(more);
  }

  void doctor(const std::string& tag,
              const std::function<void(archive_parts&)>& change) {
    doctor_archive(archives + "good.ffsnap", archives + tag + ".ffsnap",
                   change);
  }

  /// A VM's process was told nothing that the archive asks for.
  void check_command_line(uint64_t pid) const {
    auto in = std::ifstream{"/proc/" + std::to_string(pid) + "/cmdline"};
    const std::string words{std::istreambuf_iterator<char>{in}, {}};
    CHECK_FALSE(words.empty());
    for (const auto& word :
         {canary, std::string{"/etc/shadow"}, std::string{"helper="}})
      CHECK(words.find(word) == std::string::npos);
  }

  /// It is refused; taken with the flag it shows what it would run, and its
  /// children, if any, run nothing of it.
  void check_harmless(const std::string& tag) {
    CAPTURE(tag);
    const auto refused = import(tag);
    CHECK(refused.code != 0);
    CHECK_THAT(refused.text, Catch::Contains("would run"));
    const auto taken = import(tag, {"--unsigned"});
    if (taken.code == 0) {
      CHECK_THAT(taken.text, Catch::Contains("would run"));
      const auto shown = say({"inspect", tag});
      CHECK_THAT(shown.text, Catch::Contains("contract"));
      CHECK_THAT(shown.text, Catch::Contains("nobody"));
      const auto started = say({"restore", tag, "--name", "kid-" + tag});
      // What it says of files may be passed over: this host's own are taken.
      if (started.code == 0)
        check_command_line(sandbox("kid-" + tag).pid);
    }
    CHECK_FALSE(std::filesystem::exists(canary));
  }
};

using change = std::function<void(archive_parts&)>;

void add_arguments(archive_parts& x, const std::vector<std::string>& more) {
  for (const auto& argument : more)
    x.manifest.contract.arguments.push_back("argument=" + argument);
}

void replace_argument(archive_parts& x, const std::string& key,
                      const std::string& value) {
  for (auto& argument : x.manifest.contract.arguments)
    if (argument.starts_with(key + "="))
      argument = key + "=" + value;
}

} // namespace

TEST_CASE("no archive makes a node run or read what it should not",
          "[end_to_end][vm][archive][safety]") {
  if (!disk_fleet::can_run())
    return;
  attack_fleet fleet;
  const auto& canary = fleet.canary;
  const std::vector<std::pair<std::string, change>> attacks{
    {"helper",
     [&](archive_parts& x) {
       const auto helper = fleet.directory() + "/helper";
       std::ofstream{helper} << "#!/bin/sh\ntouch " << canary << "\n";
       std::filesystem::permissions(helper, std::filesystem::perms::owner_all);
       add_arguments(x, {"-netdev", "bridge,id=n,br=lo,helper=" + helper});
     }},
    {"pidfile",
     [&](archive_parts& x) {
       add_arguments(x, {"-pidfile", canary});
     }},
    {"log",
     [&](archive_parts& x) {
       add_arguments(x, {"-D", canary});
     }},
    {"drive",
     [](archive_parts& x) {
       add_arguments(x, {"-drive", "file=/etc/shadow,format=raw"});
     }},
    {"kernel",
     [](archive_parts& x) {
       replace_argument(x, "kernel", "/etc/shadow");
       for (auto& file : x.manifest.contract.files)
         if (file.use == "kernel")
           file = {.use = "kernel", .path = "/etc/shadow"};
     }},
    {"machine",
     [&](archive_parts& x) {
       x.manifest.contract.machine = "microvm,dumpdtb=" + canary;
     }},
    {"block",
     [&](archive_parts& x) {
       replace_argument(x, "memory_block",
                        "mem -object memory-backend-file,mem-path=" + canary);
     }},
    {"disk",
     [](archive_parts& x) {
       x.manifest.contract.arguments.emplace_back("disk=raw:ro:/etc/shadow");
     }},
    {"comma",
     [&](archive_parts& x) {
       replace_argument(x, "disk", "raw:rw:/x,readonly=off,file=/etc/shadow");
     }},
  };
  for (const auto& [tag, doctored] : attacks) {
    fleet.doctor(tag, doctored);
    fleet.check_harmless(tag);
  }
  // An honest one is taken and runs, all the while.
  CHECK(fleet.import("good").code != 0); // the name is taken
  REQUIRE(fleet.say({"rm", "good"}).code == 0);
  const auto honest = fleet.import("good");
  CAPTURE(honest.text);
  CHECK(honest.code == 0);
  CHECK_THAT(honest.text, Catch::Contains("signed by the fleet"));
  CHECK(fleet.say({"restore", "good", "--name", "child"}).code == 0);
  CHECK(fleet.run("child", "cat /disk/base") == "base\n");
  CHECK(fleet.succeeds("source", "cat /disk/base"));
}

TEST_CASE("a layer of a stranger's disk opens nothing else",
          "[end_to_end][vm][archive][disks][safety]") {
  if (!disk_fleet::can_run())
    return;
  attack_fleet fleet;
  fleet.doctor("elsewhere", [](archive_parts& x) {
    x.file("disk0-0.qcow2")[79] = 4; // its data lies in another file
  });
  fleet.doctor("under", [](archive_parts& x) {
    auto& layer = x.file("disk0-0.qcow2");
    const std::string name = "/etc/shadow";
    layer[14] = 1; // the name stands at byte 256
    layer[19] = static_cast<char>(name.size());
    layer.replace(256, name.size(), name);
  });
  for (const auto* tag : {"elsewhere", "under"}) {
    const auto taken = fleet.import(tag, {"--unsigned"});
    CAPTURE(taken.text);
    CHECK(taken.code != 0);
    CHECK_THAT(taken.text, Catch::Contains("disk0-0.qcow2"));
  }
}

TEST_CASE("a stranger's archive keeps no node from joining",
          "[end_to_end][vm][archive][safety]") {
  if (!disk_fleet::can_run())
    return;
  attack_fleet fleet;
  fleet.doctor("long", [](archive_parts& x) {
    x.manifest.method = std::string(300'000, 'm');
  });
  fleet.doctor("large", [](archive_parts& x) {
    x.manifest.vmstate_bytes = uint64_t{64} << 30;
  });
  for (const auto* tag : {"long", "large"})
    CHECK(fleet.import(tag, {"--unsigned"}).code != 0);
  // Nor does one that was written to the disk by hand.
  const auto sealed = fleet.data_of("h1") + "/snapshots/";
  std::filesystem::copy(sealed + "good", sealed + "byhand",
                        std::filesystem::copy_options::recursive);
  auto parts = unpack_archive(fleet.archives + "good.ffsnap");
  parts.manifest.tag = {"byhand"};
  parts.manifest.method = std::string(300'000, 'm');
  std::ofstream{sealed + "byhand/manifest.json"}
    << *manifest_text(parts.manifest);
  fleet.kill_node("h1");
  fleet.start_node("h1");
  REQUIRE(eventually([&] { return fleet.is_back("h1"); }));
  CHECK(fleet.snapshots().size() == 1);
}
