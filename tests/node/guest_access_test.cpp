// SPDX-License-Identifier: Apache-2.0
// Programs and files of a guest, whose agent is a fake and whose shell is that
// of this machine.
#include "node/agent/guest_access.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include <catch2/catch.hpp>

#include "actors/base64.hpp"
#include "tests/support/fake_agent.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

struct access_fixture {
  fake_agent guest;
  agent_seat seat{guest.socket()};
  milliseconds patience = 20s;

  template <class Request, class Do>
  auto ask(const Request& request, Do work) {
    const auto until = steady_clock::now() + patience;
    return seat.with(
      until, [&](guest_agent& agent) { return work(agent, request, until); });
  }
  expected<exec_report> exec(exec_request request, exec_action action) {
    request.action = action;
    REQUIRE(check(request));
    return ask(request, do_exec);
  }
  expected<file_report> file(const file_request& request) {
    return ask(request, do_file);
  }

  struct ending {
    std::string output = {};
    std::string errors = {};
    uint64_t status = 0;
    bool was_late = false;
  };

  /// Looks until something is told.
  void wait_for_output(const exec_request& request) {
    for (const auto until = steady_clock::now() + patience;
         steady_clock::now() < until;) {
      const auto report = exec(request, exec_action::look);
      REQUIRE(report);
      if (!report->output.content.empty())
        return;
      std::this_thread::sleep_for(5ms);
    }
    FAIL("it said nothing");
  }

  /// Looks until all is told.
  ending wait(exec_request request) {
    auto result = ending{};
    for (const auto until = steady_clock::now() + patience;
         steady_clock::now() < until;) {
      const auto report = exec(request, exec_action::look);
      REQUIRE(report);
      result.output += from_base64(report->output.content).value();
      result.errors += from_base64(report->errors.content).value();
      if (report->has_exited && report->output.has_ended
          && report->errors.has_ended) {
        result.status = report->status;
        result.was_late = report->was_late;
        return result;
      }
      if (report->output.next == request.output
          && report->errors.next == request.errors)
        std::this_thread::sleep_for(5ms);
      request.output = report->output.next;
      request.errors = report->errors.next;
    }
    FAIL("it did not end");
    return result;
  }

  ending run(const exec_request& request) {
    const auto started = exec(request, exec_action::start);
    if (!started)
      FAIL(to_string(started.error()));
    return wait(request);
  }

  static exec_request program(std::vector<std::string> words) {
    return {.operation = {"op-1"}, .arguments = std::move(words)};
  }
  static exec_request script(const std::string& text) {
    return program({"sh", "-c", text});
  }
};

} // namespace

TEST_CASE_METHOD(access_fixture, "any word reaches a program as it is",
                 "[node][access][safety]") {
  const auto words = std::vector<std::string>{"",
                                              " ",
                                              "it's",
                                              "\"",
                                              "two\nlines\n",
                                              "$(reboot) `reboot` \\",
                                              "-n",
                                              "--",
                                              "*",
                                              "\xc3\xa4\xe2\x82\xac",
                                              "\xff\xfe",
                                              "a=b",
                                              "'; exit 7; '"};
  auto request = program({"printf", "%s\\n"});
  auto wanted = std::string{};
  for (const auto& word : words) {
    request.arguments.push_back(word);
    wanted += word + "\n";
  }
  const auto end = run(request);
  CHECK(end.output == wanted);
  CHECK(end.errors.empty());
  CHECK(end.status == 0);
}

TEST_CASE_METHOD(access_fixture, "a program's end is told as a shell would",
                 "[node][access]") {
  const auto [text, status] = GENERATE(table<std::string, uint64_t>(
    {{"exit 7", 7}, {"kill -9 $$", 137}, {"kill -TERM $$", 143}, {"true", 0}}));
  CHECK(run(script(text)).status == status);
}

TEST_CASE_METHOD(access_fixture, "what cannot be run says so",
                 "[node][access]") {
  const auto none = run(program({"no-such-program"}));
  CHECK(none.status == 127);
  CHECK(none.errors.find("not found") != std::string::npos);
  auto other = program({"/etc/passwd"});
  other.operation = {"op-2"};
  CHECK(run(other).status == 126);
}

TEST_CASE_METHOD(access_fixture, "environment and directory are the program's",
                 "[node][access]") {
  std::ofstream{guest.here("/run/forkfleet/env")}
    << "A='of the child'\nB='b'\n";
  auto request = script("pwd; echo \"$A $B $C\"; echo no >&2");
  request.environment = {"B=it's\nmine", "C="};
  request.directory = "/tmp";
  const auto end = run(request);
  CHECK(end.output == "/tmp\nof the child it's\nmine \n");
  CHECK(end.errors == "no\n");
}

TEST_CASE_METHOD(access_fixture, "megabytes of any bytes arrive in order",
                 "[node][access][safety]") {
  auto wanted = std::string{};
  for (std::size_t i = 0; i < 9u << 20; ++i)
    wanted += static_cast<char>((i * 2654435761u) >> 13);
  const auto path = guest.here("/run/forkfleet/big");
  std::ofstream{path, std::ios::binary} << wanted;
  const auto end = run(script("cat '" + path + "'; cat '" + path + "' >&2"));
  CHECK((end.output == wanted));
  CHECK((end.errors == wanted));
}

TEST_CASE_METHOD(access_fixture, "an output that nobody reads is bounded",
                 "[node][access][safety]") {
  const auto request = script("while :; do echo line after line; done");
  REQUIRE(exec(request, exec_action::start));
  const auto directory = guest.here(exec_directory(request.operation));
  const auto kept = [&directory] {
    auto bytes = uintmax_t{0};
    auto ignored = std::error_code{};
    for (const auto& entry : fs::directory_iterator{directory})
      if (entry.is_regular_file())
        bytes += entry.file_size(ignored);
    return bytes;
  };
  auto before = uintmax_t{1};
  for (int i = 0; i < 100 && before != kept(); ++i) {
    before = kept();
    std::this_thread::sleep_for(300ms);
  }
  CHECK(before <= (exec_segments_max + 1) * exec_segment_bytes_max);
  REQUIRE(exec(request, exec_action::kill));
  CHECK(exec(request, exec_action::look)->has_exited);
  REQUIRE(exec(request, exec_action::forget));
  CHECK_FALSE(fs::exists(directory));
}

TEST_CASE_METHOD(access_fixture, "a repeated start runs nothing twice",
                 "[node][access][safety]") {
  const auto path = guest.here("/run/forkfleet/runs");
  const auto request = script("echo run >>'" + path + "'");
  const int lost = GENERATE(range(0, 10));
  guest.lose_answer_after(lost);
  // The start is repeated by us, or by the seat.
  for (int i = 0; i < 3; ++i)
    static_cast<void>(exec(request, exec_action::start).has_value());
  CHECK(wait(request).status == 0);
  REQUIRE(exec(request, exec_action::forget));
  // Also one that comes too late.
  REQUIRE(exec(request, exec_action::start));
  auto in = std::ifstream{path};
  CHECK(std::string{std::istreambuf_iterator<char>{in}, {}} == "run\n");
}

TEST_CASE_METHOD(access_fixture, "a piece is read again after a lost answer",
                 "[node][access]") {
  const auto request = script("echo one");
  REQUIRE(exec(request, exec_action::start));
  for (int i = 0; i < 12; ++i) {
    guest.lose_answer_after(i);
    static_cast<void>(exec(request, exec_action::look).has_value());
  }
  guest.lose_answer_after(-1);
  CHECK(wait(request).output == "one\n");
}

TEST_CASE_METHOD(access_fixture, "the guest ends what takes too long",
                 "[node][access][safety]") {
  auto request = script("echo begun; sleep 60");
  request.limit = 300ms;
  const auto end = run(request);
  CHECK(end.was_late);
  CHECK(end.status == 143);
  CHECK(end.output == "begun\n");
}

TEST_CASE_METHOD(access_fixture, "a kill ends the whole process group",
                 "[node][access][safety]") {
  const auto mark = guest.here("/run/forkfleet/mark");
  const auto request = script("trap '' TERM; echo armed; (sleep 4; echo x >'"
                              + mark + "') & while :; do sleep 1; done");
  REQUIRE(exec(request, exec_action::start));
  wait_for_output(request);
  const auto refused = exec(request, exec_action::forget);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::invalid_request);
  REQUIRE(exec(request, exec_action::kill));
  CHECK(wait(request).status == 137);
  std::this_thread::sleep_for(3s);
  CHECK_FALSE(fs::exists(mark));
}

TEST_CASE_METHOD(access_fixture, "what a program left behind holds nobody up",
                 "[node][access]") {
  auto request = script("sleep 5 & echo done");
  REQUIRE(exec(request, exec_action::start));
  for (int i = 0; i < 400; ++i) {
    const auto report = exec(request, exec_action::look);
    REQUIRE(report);
    request.output = report->output.next;
    if (report->has_exited) {
      CHECK(report->status == 0);
      return;
    }
    std::this_thread::sleep_for(5ms);
  }
  FAIL("it was not seen to end");
}

TEST_CASE_METHOD(access_fixture, "a program reads its input",
                 "[node][access]") {
  auto request = program({"wc", "-c"});
  request.has_input = true;
  const auto refused = exec(request, exec_action::start);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::invalid_request);
  request.operation = {"op-2"};
  const auto path = exec_directory(request.operation) + ".in";
  const auto text = std::string(100'000, 'x');
  REQUIRE_FALSE(file({.action = file_action::write, .path = path}));
  std::ofstream{guest.here(path)} << "";
  for (std::size_t at = 0; at < text.size(); at += guest_bytes_max)
    REQUIRE(file({.action = file_action::write,
                  .path = path,
                  .offset = at,
                  .content = to_base64(text.substr(at, guest_bytes_max))}));
  CHECK(std::stoul(run(request).output) == text.size());
}

TEST_CASE_METHOD(access_fixture, "a refusal names what is wrong",
                 "[node][access]") {
  auto request = script("true");
  request.directory = "/no/such";
  const auto refused = exec(request, exec_action::start);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::invalid_request);
  CHECK(refused.error().message.find("/no/such") != std::string::npos);
  // It stays refused, whatever is asked by the same name.
  CHECK_FALSE(exec(script("true"), exec_action::start));
}

TEST_CASE_METHOD(access_fixture, "a guest that lost a program says so",
                 "[node][access][safety]") {
  const auto request = script("sleep 60");
  REQUIRE(exec(request, exec_action::start));
  REQUIRE(exec(request, exec_action::kill));
  fs::remove_all(guest.here("/run/forkfleet/exec")); // as a reboot does
  const auto gone = exec(request, exec_action::look);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == ec::interrupted);
}

TEST_CASE_METHOD(access_fixture, "a guest that says nothing has its deadline",
                 "[node][access][safety]") {
  guest.is_mute = true;
  patience = 1500ms;
  const auto begun = steady_clock::now();
  const auto silent = exec(script("true"), exec_action::start);
  REQUIRE_FALSE(silent);
  CHECK(silent.error().code == ec::deadline_exceeded);
  CHECK(steady_clock::now() - begun < 5s);
  guest.is_mute = false;
  patience = 20s;
  CHECK(run(script("exit 3")).status == 3);
}

TEST_CASE_METHOD(access_fixture, "a connection is kept", "[node][access]") {
  run(script("true"));
  CHECK(guest.connections == 1);
}

TEST_CASE_METHOD(access_fixture, "files are read and written in pieces",
                 "[node][access]") {
  const auto path = guest.here("/run/forkfleet/file");
  CHECK_FALSE(file({.path = path}));
  std::ofstream{path} << "0123456789";
  REQUIRE(file({.action = file_action::write,
                .path = path,
                .offset = 4,
                .content = to_base64("xy")}));
  const auto got = file({.path = path, .offset = 2});
  REQUIRE(got);
  CHECK(from_base64(got->content) == "23xy6789");
  CHECK(got->next == 10);
  CHECK(got->has_ended);
}

TEST_CASE("a wrong piece of a file is refused", "[node][access]") {
  CHECK(check(file_request{.path = "/a", .content = to_base64("x")}));
  CHECK_FALSE(check(file_request{.path = "relative"}));
  CHECK_FALSE(check(file_request{.path = std::string{"/a\0b", 4}}));
  CHECK_FALSE(check(file_request{.path = "/a", .content = "*"}));
  CHECK_FALSE(check(
    file_request{.path = "/a",
                 .content = to_base64(std::string(guest_bytes_max + 1, 'x'))}));
}
