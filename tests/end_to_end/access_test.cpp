// SPDX-License-Identifier: Apache-2.0
// What people do in a guest, with the tool and a real guest: programs, files,
// its console, and waiting for it.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "tests/support/access_fleet.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace fs = std::filesystem;

TEST_CASE_METHOD(access_fleet, "people work in a guest",
                 "[end_to_end][vm][access]") {
  if (!can_run())
    return;
  start();
  REQUIRE(run({"wait", "box", "--for", "ready", "--timeout", "120s"}) == 0);

  INFO("a program's outputs and its end");
  CHECK(
    run({"exec", "box", "--env", "A=it's", "--cwd", "/tmp", "--", "sh", "-c",
         "echo \"$A $(pwd) $1\"; echo no >&2; exit 7", "sh", "two\nlines"})
    == 7);
  CHECK(out() == "it's /tmp two\nlines\n");
  CHECK(err() == "no\n");
  CHECK(run({"exec", "box", "--", "sh", "-c", "kill -9 $$"}) == 137);
  CHECK(run({"exec", "box", "--", "no-such-program"}) == 127);

  INFO("a simulated sandbox has no agent");
  CHECK(run({"exec", "toy", "--", "true"}) == 1);
  CHECK(err().find("guest_agent: true") != std::string::npos);
  CHECK(run({"exec", "toy", "--failure-code", "125", "--", "true"}) == 125);
  CHECK(run({"exec", "none", "--", "true"}) == 5);

  INFO("megabytes of any bytes, through the guest and back");
  auto bytes = std::string{};
  for (std::size_t i = 0; i < 1u << 20; ++i)
    bytes += static_cast<char>((i * 2654435761u) >> 13);
  std::ofstream{here("sent"), std::ios::binary} << bytes;
  fs::permissions(here("sent"), fs::perms{0640});
  REQUIRE(run({"cp", here("sent"), "box:/root/"}) == 0);
  CHECK(run({"exec", "box", "--", "stat", "-c", "%a", "/root/sent"}) == 0);
  CHECK(out() == "640\n");
  CHECK(run({"exec", "box", "--", "sh", "-c",
             "cd /root; cat sent sent sent; echo done >&2"})
        == 0);
  CHECK((out() == bytes + bytes + bytes));
  CHECK(err() == "done\n");
  REQUIRE(run({"cp", "box:/root/sent", here("back")}) == 0);
  CHECK((content_of(here("back")) == bytes));
  struct stat known {};
  REQUIRE(::stat(here("back").c_str(), &known) == 0);
  CHECK((known.st_mode & 07777) == 0640);
  CHECK(run({"cp", "box:/root/none", here("none")}) == 1);
  CHECK_FALSE(fs::exists(here("none")));

  INFO("stdin");
  std::ofstream{here("in")} << "6 7\n";
  CHECK(run({"exec", "box", "-i", "--", "wc", "-w"}, here("in")) == 0);
  CHECK(std::stoi(out()) == 2);

  INFO("a whole directory");
  fs::create_directories(here("tree/sub"));
  std::ofstream{here("tree/sub/file")} << "content";
  REQUIRE(run({"cp", "-r", here("tree"), "box:/root/copy"}) == 0);
  REQUIRE(run({"cp", "-r", "box:/root/copy", here("again")}) == 0);
  CHECK(content_of(here("again/sub/file")) == "content");

  INFO("its console");
  REQUIRE(run({"logs", "box"}) == 0);
  CHECK(out() == content_of(sandbox("box").console));
}

TEST_CASE_METHOD(access_fleet, "a program has its end, however it comes",
                 "[end_to_end][vm][access][safety]") {
  if (!can_run())
    return;
  start();
  REQUIRE(run({"wait", "box", "--for", "ready", "--timeout", "120s"}) == 0);

  INFO("by its limit");
  CHECK(run({"exec", "box", "--timeout", "2s", "--", "sh", "-c",
             "echo begun; sleep 1234"})
        == 7);
  CHECK(out() == "begun\n");
  CHECK(run({"exec", "box", "--", "sh", "-c", "ps | grep '[s]leep 1234'"})
        == 1);

  INFO("by Ctrl-C, after it was seen to print");
  auto tool =
    begin({"exec", "box", "--", "sh", "-c", "echo begun; sleep 2345"});
  CHECK(eventually([this] { return out() == "begun\n"; }, 30s));
  const auto status = tool.end(SIGINT);
  CHECK(WEXITSTATUS(status) == 130);
  CHECK(run({"exec", "box", "--", "sh", "-c", "ps | grep '[s]leep 2345'"})
        == 1);

  INFO("a branch in between: the source goes on, the child has it, too");
  auto running = begin({"exec", "box", "--", "sh", "-c",
                        "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 1; done"});
  CHECK(eventually([this] { return out().starts_with("1\n"); }, 30s));
  const auto report = branch({.operation = {"op-mid"},
                              .sandbox = {"box"},
                              .tag = {"mid"},
                              .mode = branch_mode::full});
  REQUIRE(report);
  REQUIRE_FALSE(report->outcome);
  CHECK(running.wait(120s) == 0);
  CHECK(out() == "1\n2\n3\n4\n5\n6\n7\n8\n");
  REQUIRE(run({"restore", "mid", "--name", "kid"}) == 0);
  CHECK(run({"exec", "kid", "--", "sh", "-c",
             "cat /run/forkfleet/exec/*/out.0; hostname"})
        == 0);
  CHECK(out().starts_with("1\n"));
  CHECK(out().ends_with("kid\n"));

  INFO("with its sandbox");
  REQUIRE(run({"stop", "kid"}) == 0);
  CHECK(run({"wait", "kid", "--for", "gone"}) == 0);
  CHECK(run({"exec", "kid", "--", "true"}) == 5);
  CHECK(run({"wait", "kid", "--timeout", "1s"}) == 7);
}
