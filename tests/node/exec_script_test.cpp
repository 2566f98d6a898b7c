// SPDX-License-Identifier: Apache-2.0
#include "node/agent/exec_script.hpp"

#include <cstdio>

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

// Whether the shell of this machine can read the script.
bool is_shell(const std::string& script) {
  auto* shell = ::popen("sh -n", "w");
  REQUIRE(shell);
  std::fwrite(script.data(), 1, script.size(), shell);
  return ::pclose(shell) == 0;
}

} // namespace

TEST_CASE("whatever is to run, the script is a script",
          "[node][exec_script][safety]") {
  const std::string word =
    GENERATE("", "plain", "it's", "'; reboot; '", "$(reboot) `reboot` \\ \"",
             "two\nlines\nEOF\n", "%s %d \\045", "\xff\xfe");
  CHECK(is_shell(start_script({.operation = {"op-1"},
                               .arguments = {word, word},
                               .environment = {"A=" + word},
                               .directory = word,
                               .has_input = true,
                               .limit = milliseconds{1500}})));
  CHECK(is_shell(kill_script({"op-1"})));
  CHECK(is_shell(forget_script({"op-1"})));
}

TEST_CASE("only a whole word of a guest is believed", "[node][exec_script]") {
  CHECK(read_start("state=started\n"));
  CHECK(read_start("state=forgotten\n"));
  const auto busy = read_start("error=node_busy it keeps 32 programs\n");
  REQUIRE_FALSE(busy);
  CHECK(busy.error() == failure{ec::node_busy, "it keeps 32 programs"});
  for (const auto* text :
       {"", "state", "state=", "error=", "error=none x", "error=what it is"}) {
    const auto other = read_start(text);
    REQUIRE_FALSE(other);
    CHECK(other.error().code == ec::vmm_refused);
  }
  const auto late = read_exit("143 1               \n");
  REQUIRE(late);
  CHECK(late->status == 143);
  CHECK(late->was_late);
  CHECK_FALSE(read_exit("0 0\n")->was_late);
  for (const auto* text : {"", "running", "7", "x 0", " 7 0"})
    CHECK_FALSE(read_exit(text));
}

TEST_CASE("a wrong request is refused by name", "[node][exec_script]") {
  using words = std::vector<std::string>;
  const auto [request, named] = GENERATE(table<exec_request, std::string>({
    {exec_request{}, "no program"},
    {{.arguments = words{""}}, "no program"},
    {{.arguments = words{std::string{"a\0b", 3}}}, "zero byte"},
    {{.arguments = words(exec_words_max + 1, "a")}, "at most"},
    {{.arguments = words{std::string(exec_bytes_max, 'x')}}, "at most"},
    {{.arguments = words{"a"}, .environment = words{"7=x"}}, "7=x"},
    {{.arguments = words{"a"}, .limit = milliseconds{-1}}, "limit_ms"},
  }));
  const auto checked = check(request);
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code == ec::invalid_request);
  CHECK(checked.error().message.find(named) != std::string::npos);
}
