// SPDX-License-Identifier: Apache-2.0
#include "config/options.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::config;
using namespace std::chrono_literals;

namespace {

using words = std::vector<std::string>;
using std::string;

const command_line tool{
  .name = "tool",
  .summary = "Does things.",
  .version = "1.2.3",
  .common = {{.name = "fleet",
              .kind = value_kind::text,
              .placeholder = "FILE",
              .doc = "The fleet file."},
             {.name = "output",
              .letter = 'o',
              .kind = value_kind::choice,
              .doc = "How to print.",
              .initial = "table",
              .choices = {"table", "json"}}},
  .verbs = {
    {.path = "branch",
     .summary = "Branch a sandbox.",
     .options = {{.name = "count",
                  .letter = 'n',
                  .kind = value_kind::number,
                  .doc = "How many.",
                  .initial = "1",
                  .min = 1,
                  .max = 100},
                 {.name = "deadline",
                  .kind = value_kind::duration,
                  .doc = "How long.",
                  .min = 1000,
                  .max = 60000},
                 {.name = "size", .kind = value_kind::bytes, .doc = "Big."},
                 {.name = "quiet", .letter = 'q', .doc = "Say less."},
                 {.name = "tag",
                  .kind = value_kind::text,
                  .doc = "A name.",
                  .repeatable = true}},
     .positionals = {{.name = "SANDBOX", .doc = "Which."}}},
    {.path = "run",
     .summary = "Run a command.",
     .positionals = {{.name = "HOST", .doc = "Where."}},
     .keeps_rest = true},
    {.path = "copy",
     .summary = "Copy files.",
     .options = {{.name = "to",
                  .kind = value_kind::endpoint,
                  .doc = "Where to.",
                  .required = true}},
     .positionals = {{.name = "FROM", .doc = "Files.", .least = 1, .most = 9},
                     {.name = "INTO", .doc = "A directory."},
                     {.name = "MODE", .doc = "How.", .least = 0}}}}};

invocation good(const words& given) {
  const auto result = parse(tool, given);
  if (!result)
    FAIL(result.error().text);
  return *result;
}

/// The first line of why `given` is refused.
string refusal(const words& given) {
  const auto result = parse(tool, given);
  REQUIRE_FALSE(result);
  CHECK(result.error().code == usage_exit_code);
  const auto& text = result.error().text;
  return text.substr(0, text.find('\n'));
}

} // namespace

TEST_CASE("values and defaults are read by their types", "[config][options]") {
  const auto x = good({"branch", "web", "-n5", "--deadline=2s", "--size",
                       "4KiB", "-qojson", "--fleet", "f.yaml"});
  CHECK(x.verb->path == "branch");
  CHECK(x.positional("SANDBOX") == "web");
  CHECK(x.number("count") == 5u);
  CHECK(x.duration("deadline") == 2s);
  CHECK(x.bytes("size")->value == 4096);
  CHECK(x.has("quiet"));
  CHECK(x.text("output") == "json");
  CHECK(x.text("fleet") == "f.yaml");
}

TEST_CASE("what is not given has its default or nothing", "[config][options]") {
  const auto x = good({"branch", "web"});
  CHECK(x.number("count") == 1u);
  CHECK(x.text("output") == "table");
  CHECK_FALSE(x.has("output"));
  CHECK_FALSE(x.duration("deadline"));
  CHECK_FALSE(x.has("quiet"));
  CHECK(x.text("fleet").empty());
  CHECK(x.texts("tag").empty());
}

TEST_CASE("common options may stand before the verb", "[config][options]") {
  CHECK(good({"-o", "json", "branch", "web"}).text("output") == "json");
  CHECK(good({"--fleet=branch", "branch", "x"}).text("fleet") == "branch");
}

TEST_CASE("a verb's own option takes the place of a common one",
          "[config][options]") {
  const command_line program{
    .name = "tool",
    .common = {{.name = "limit", .kind = value_kind::text, .doc = "Common."}},
    .verbs = {{.path = "own",
               .options = {{.name = "limit",
                            .kind = value_kind::number,
                            .doc = "Own."}}},
              {.path = "other"}}};
  const auto own = parse(program, {"own", "--limit", "7"});
  REQUIRE(own);
  CHECK(own->number("limit") == 7u);
  CHECK_FALSE(parse(program, {"own", "--limit", "x"}));
  const auto other = parse(program, {"other", "--limit", "x"});
  REQUIRE(other);
  CHECK(other->text("limit") == "x");
  CHECK(help(program, "own").find("Common.") == string::npos);
  CHECK(help(program, "other").find("Common.") != string::npos);
}

TEST_CASE("the value of a misspelt option is never taken for a verb",
          "[config][options][safety]") {
  CHECK(refusal({"--outptu", "branch", "web"})
        == "tool: unknown option '--outptu' before the verb (did you mean "
           "'--output'?)");
}

TEST_CASE("no option is guessed from its beginning",
          "[config][options][safety]") {
  CHECK(refusal({"branch", "web", "--flee", "x"})
        == "tool: unknown option '--flee' (did you mean '--fleet'?)");
  CHECK(
    refusal({"branch", "web", "-z"}).starts_with("tool: unknown option '-z'"));
}

TEST_CASE("numbers are never bent to fit", "[config][options][safety]") {
  const auto count = [](const string& text) {
    return refusal({"branch", "web", "--count=" + text});
  };
  CHECK(count("-1") == "tool: option '--count': '-1' is not a whole number");
  CHECK(count("0") == "tool: option '--count': must be 1 to 100, not 0");
  CHECK(count("101") == "tool: option '--count': must be 1 to 100, not 101");
  CHECK(count("1.5") == "tool: option '--count': '1.5' is not a whole number");
  CHECK(count("99999999999999999999")
        == "tool: option '--count': '99999999999999999999' is not a whole "
           "number");
}

TEST_CASE("times, sizes, endpoints and choices are checked",
          "[config][options]") {
  CHECK(refusal({"branch", "x", "--deadline", "5"})
        == "tool: option '--deadline': '5' has no unit (add one: ns, us, ms, "
           "s, min, h, d)");
  CHECK(refusal({"branch", "x", "--deadline", "2min"})
        == "tool: option '--deadline': must be 1s to 1min, not 2min");
  CHECK(refusal({"branch", "x", "--size", "1MB"})
        == "tool: option '--size': unknown unit in '1MB' (write MiB, a power "
           "of 1024)");
  CHECK(refusal({"branch", "x", "-o", "jsn"})
        == "tool: option '--output': unknown value 'jsn' (did you mean "
           "'json'?)");
  CHECK(refusal({"copy", "a", "b", "--to", "box"})
          .starts_with("tool: option '--to': 'box' has no port"));
}

TEST_CASE("too many and too few arguments are refused", "[config][options]") {
  CHECK(refusal({"branch"}) == "tool: SANDBOX is missing");
  CHECK(refusal({"branch", "a", "b"}) == "tool: unexpected argument 'b'");
  CHECK(refusal({"branch", "a", "-q", "-q"})
        == "tool: option '--quiet' is given more than once");
  CHECK(refusal({"copy", "a", "b"}) == "tool: option '--to' is required");
}

TEST_CASE("an option may be repeated where its table says so",
          "[config][options]") {
  const auto x = good({"branch", "web", "--tag", "a", "--tag=b"});
  CHECK(x.texts("tag") == words{"a", "b"});
  CHECK(x.text("tag") == "b");
}

TEST_CASE("a run of arguments leaves enough for those after it",
          "[config][options]") {
  const auto x = good({"copy", "a", "b", "c", "--to", "h:1"});
  CHECK(x.positionals("FROM") == words{"a", "b"});
  CHECK(x.positional("INTO") == "c");
  CHECK(x.positional("MODE").empty());
  CHECK(x.address("to") == endpoint{"h", 1});
}

TEST_CASE("what follows two dashes is kept untouched", "[config][options]") {
  const auto x = good({"run", "a", "--", "ls", "-l", "--", "--help"});
  CHECK(x.rest() == words{"ls", "-l", "--", "--help"});
  CHECK(good({"branch", "--", "-odd"}).positional("SANDBOX") == "-odd");
}

TEST_CASE("an empty argument and a dash are arguments", "[config][options]") {
  CHECK(good({"branch", ""}).positionals("SANDBOX") == words{""});
  CHECK(good({"branch", "-"}).positional("SANDBOX") == "-");
}

TEST_CASE("a value must be there where one belongs, and only there",
          "[config][options]") {
  CHECK(refusal({"branch", "web", "--fleet"})
        == "tool: option '--fleet' needs a value");
  CHECK(refusal({"branch", "web", "--fleet="})
        == "tool: option '--fleet' needs a value");
  CHECK(good({"branch", "web", "--fleet", ""}).text("fleet").empty());
  CHECK(refusal({"branch", "web", "-o"})
        == "tool: option '--output' needs a value");
  CHECK(refusal({"branch", "web", "--quiet=1"})
        == "tool: option '--quiet' takes no value");
}
