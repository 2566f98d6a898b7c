// SPDX-License-Identifier: Apache-2.0
#include <sstream>

#include <catch2/catch.hpp>

#include "config/options.hpp"

using namespace forkfleet::config;

namespace {

const command_line tool{
  .name = "tool",
  .summary = "Does things.",
  .version = "1",
  .common = {{.name = "verbose", .letter = 'v', .doc = "Say more."}},
  .verbs = {
    {.path = "branch",
     .summary = "Branch a sandbox.",
     .options = {{.name = "mode",
                  .kind = value_kind::choice,
                  .doc =
                    "What to capture, said in so many words that it cannot fit "
                    "in the rest of one line of a terminal.",
                  .initial = "auto",
                  .choices = {"auto", "live"}},
                 {.name = "to",
                  .kind = value_kind::endpoint,
                  .doc = "Where.",
                  .required = true}},
     .positionals = {{.name = "SANDBOX", .doc = "Which."},
                     {.name = "TAG", .doc = "Names.", .least = 0, .most = 3}},
     .examples = {"tool branch web"},
     .details = "More about it.",
     .keeps_rest = true},
    {.path = "config show", .summary = "Print a file."},
    {.path = "secret", .summary = "Hidden.", .is_hidden = true}}};

} // namespace

TEST_CASE("a verb's help tells all that its table says", "[config][help]") {
  CHECK(help(tool, "branch")
        == "Usage: tool branch --to HOST:PORT [OPTION...] SANDBOX [TAG...] "
           "[-- ARGUMENT...]\n"
           "\n"
           "Branch a sandbox.\n"
           "\n"
           "More about it.\n"
           "\n"
           "Arguments:\n"
           "  SANDBOX  Which.\n"
           "  TAG      Names.\n"
           "\n"
           "Options:\n"
           "  --mode auto|live  What to capture, said in so many words that "
           "it cannot fit in\n"
           "                    the rest of one line of a terminal. Default: "
           "auto.\n"
           "  --to HOST:PORT    Where. Required.\n"
           "\n"
           "Common options:\n"
           "  -v, --verbose  Say more.\n"
           "  -h, --help     Print this help.\n"
           "\n"
           "Examples:\n"
           "  tool branch web\n");
}

TEST_CASE("a program's help lists its verbs but not the hidden ones",
          "[config][help]") {
  const auto text = help(tool);
  CHECK(text.find("  branch       Branch a sandbox.\n") != text.npos);
  CHECK(text.find("  config show  Print a file.\n") != text.npos);
  CHECK(text.find("secret") == text.npos);
}

TEST_CASE("a group's help lists its verbs only", "[config][help]") {
  const auto text = help(tool, "config");
  CHECK(text.find("config show") != text.npos);
  CHECK(text.find("Branch a sandbox") == text.npos);
}

TEST_CASE("no line of a help is wider than a terminal", "[config][help]") {
  std::istringstream lines{help(tool) + help(tool, "branch")};
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    CHECK(line.size() <= 80);
  }
}

TEST_CASE("a usage error says where the help is", "[config][help]") {
  const auto end = usage_error(tool, &tool.verbs[0], "no such sandbox");
  CHECK(end.code == 2);
  CHECK(end.text == "tool: no such sandbox\nTry 'tool branch --help'.\n");
}
