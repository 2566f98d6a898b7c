// SPDX-License-Identifier: Apache-2.0
#include "config/verb_path.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet::config;

namespace {

using words = std::vector<std::string>;

const command_line tool{
  .name = "tool",
  .summary = "Does things.",
  .version = "1.2.3",
  .common = {{.name = "output",
              .letter = 'o',
              .kind = value_kind::text,
              .doc = "How to print."},
             {.name = "verbose", .letter = 'v', .doc = "Say more."}},
  .verbs = {{.path = "config validate", .summary = "Check a file."},
            {.path = "config show", .summary = "Print a file."},
            {.path = "pki", .summary = "Certificates."},
            {.path = "pki init", .summary = "Make an authority."},
            {.path = "secret", .summary = "Hidden.", .is_hidden = true}}};

const command_line bare{.name = "bare",
                        .summary = "Runs.",
                        .verbs = {{.path = "", .summary = "Run."}}};

std::string path_of(const words& given) {
  const auto found = find_verb(tool, given);
  return found ? found->verb->path : "ended: " + found.error().text;
}

early_end end_of(const words& given) {
  const auto found = find_verb(tool, given);
  REQUIRE_FALSE(found);
  return found.error();
}

} // namespace

TEST_CASE("the longest path wins", "[config][verb_path]") {
  CHECK(path_of({"config", "show", "f"}) == "config show");
  CHECK(path_of({"pki"}) == "pki");
  CHECK(path_of({"pki", "init"}) == "pki init");
  CHECK(path_of({"pki", "other"}) == "pki");
}

TEST_CASE("options may stand anywhere in a path", "[config][verb_path]") {
  const auto found =
    find_verb(tool, {"-vo", "show", "config", "--output=x", "show", "f"});
  REQUIRE(found);
  CHECK(found->verb->path == "config show");
  CHECK(found->rest == words{"-vo", "show", "--output=x", "f"});
}

TEST_CASE("words after the path are arguments, even names of verbs",
          "[config][verb_path]") {
  const auto found = find_verb(tool, {"config", "show", "pki", "init"});
  REQUIRE(found);
  CHECK(found->verb->path == "config show");
  CHECK(found->rest == words{"pki", "init"});
}

TEST_CASE("an unknown verb names the nearest one", "[config][verb_path]") {
  CHECK(end_of({"confg"}).text.starts_with(
    "tool: unknown verb 'confg' (did you mean 'config'?)\n"));
  CHECK(end_of({"config", "shwo"})
          .text.starts_with(
            "tool: unknown verb 'config shwo' (did you mean 'show'?)\n"));
  CHECK(end_of({"zebra"}).text.find("secret") == std::string::npos);
}

TEST_CASE("half a path is not enough", "[config][verb_path]") {
  const auto end = end_of({"config"});
  CHECK(end.code == usage_exit_code);
  CHECK(end.text.starts_with(
    "tool: 'config' needs one more word (known: show, validate)\n"));
  CHECK(end_of({}).code == usage_exit_code);
}

TEST_CASE("help and version are asked for in any place",
          "[config][verb_path]") {
  for (const auto& given :
       {words{"--help"}, words{"help"}, words{"config", "show", "-h"},
        words{"help", "config"}, words{"config", "--help"},
        words{"--help", "--bogus"}})
    CHECK(end_of(given).code == 0);
  CHECK(end_of({"--version"}).text == "tool 1.2.3\n");
  CHECK(end_of({"help", "config", "show"}).text
        == end_of({"config", "show", "--help"}).text);
}

TEST_CASE("after two dashes nothing is an option", "[config][verb_path]") {
  const auto found = find_verb(tool, {"config", "show", "--", "--help"});
  REQUIRE(found);
  CHECK(found->rest == words{"--", "--help"});
}

TEST_CASE("a program without verbs takes all words as its own",
          "[config][verb_path]") {
  const auto found = find_verb(bare, {"a", "help", "--x"});
  REQUIRE(found);
  CHECK(found->rest == words{"a", "help", "--x"});
}
