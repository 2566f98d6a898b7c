// SPDX-License-Identifier: Apache-2.0
// The mechanical rules of CONTRIBUTING.md, held against the tree itself and
// against small files that break them.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <regex>
#include <set>

#include <catch2/catch.hpp>

#include "tests/support/mutant_table.hpp"
#include "tests/support/tidy_rules.hpp"

using namespace forkfleet::test;

namespace {

const source_tree& our_tree() {
  static const auto tree = source_tree::read(".");
  REQUIRE(tree.has("tests/tidy_test.cpp")); // run it from the root
  return tree;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A tree of one file that breaks a rule.
source_tree tree_of(const std::string& path, const std::string& text) {
  source_tree tree;
  tree.add(parse_source(path, text));
  return tree;
}

/// The repository's paths that a document names in backquotes.
std::set<std::string> paths_in(const std::string& text) {
  static const std::regex named(
    R"(`((?:actors|config|node|coordinator|tests|examples|docs|cmake)/)"
    R"([A-Za-z0-9_./-]*)`)");
  std::set<std::string> out;
  for (std::sregex_iterator at(text.begin(), text.end(), named), end; at != end;
       ++at)
    out.insert((*at)[1]);
  return out;
}

/// Prints what was found as it is; Catch would break the lines.
void check_none(const findings& found) {
  std::cout << to_string(found) << std::flush;
  CHECK(found.empty());
}

} // namespace

TEST_CASE("what peers can cause is written by the log alone, which limits it",
          "[tidy][log][safety]") {
  static const std::regex writes(
    R"(std::(?:cerr|cout|clog)|\b(?:f|d|v)?printf\(|\bspdlog::|\bsyslog\()");
  auto found = findings{};
  for (const auto& [path, file] : our_tree().files()) {
    const auto is_of_programs =
      file.is_in("actors/") || file.is_in("coordinator/")
      || (file.is_in("node/") && path.find('/', 5) == std::string::npos);
    if (!is_of_programs || file.is_in("actors/shell/")
        || path == "actors/log.cpp")
      continue;
    for (const auto& line : file.lines)
      if (std::regex_search(line.code, writes))
        found.push_back({path, line.number, "log", "it passes by the log"});
  }
  check_none(found);
}

TEST_CASE("each mutant can be made of the tree as it is", "[tidy][mutants]") {
  const auto table = parse_mutants(read_text("tests/mutants/table.txt"));
  CHECK(table.mutants.size() > 20);
  for (const auto& problem : check_mutants(table, our_tree()))
    FAIL_CHECK(problem);
}

TEST_CASE("a mutant whose line is gone is found", "[tidy][mutants]") {
  const auto tree = tree_of("node/x.cpp", "  if (a)\n  b();\n  b();\n");
  const auto problems = [&tree](const std::string& name,
                                const std::string& line,
                                const std::string& with) {
    return check_mutants(
      parse_mutants("name: " + name + "\nfile: node/x.cpp\nline: " + line
                    + "\nwith: " + with + "\ntest: t\nfilter: f\n"),
      tree);
  };
  CHECK(problems("good", "if (a)", "if (!a)").empty());
  CHECK(problems("gone", "if (c)", "if (a)").size() == 1);
  CHECK(problems("twice", "b();", "c();").size() == 1);
  CHECK(problems("same", "if (a)", "if (a)").size() == 1);
  CHECK(check_mutants(parse_mutants("name: bare\nwhat: else\n"), tree).size()
        == 8);
}

TEST_CASE("files and lines stay short", "[tidy][sizes]") {
  check_none(check_sizes(our_tree()));
}

TEST_CASE("every file opens as the others do", "[tidy][openings]") {
  check_none(check_openings(our_tree()));
}

TEST_CASE("includes run one way", "[tidy][directions]") {
  check_none(check_directions(our_tree()));
}

TEST_CASE("what knows no CAF does not include it", "[tidy][directions]") {
  check_none(check_caf_free(our_tree()));
}

TEST_CASE("what says it is pure is pure", "[tidy][pure]") {
  check_none(check_pure(our_tree()));
}

TEST_CASE("code has none of the words that we do without", "[tidy][words]") {
  check_none(check_words(our_tree()));
}

TEST_CASE("comments say what is, and why", "[tidy][comments]") {
  check_none(check_comments(our_tree()));
}

TEST_CASE("every unit has a test", "[tidy][mirror]") {
  check_none(check_mirror(our_tree()));
}

TEST_CASE("every file that a document names exists", "[tidy][map]") {
  const auto* document = GENERATE("ARCHITECTURE.md", "README.md",
                                  "CONTRIBUTING.md", "docs/glossary.md");
  INFO("in " << document);
  CHECK(std::filesystem::exists(document));
  for (const auto& path : paths_in(read_text(document))) {
    INFO(document << " names " << path << ": correct the document");
    CHECK(std::filesystem::exists(path));
  }
}

TEST_CASE("every folder of the tree is on the map", "[tidy][map]") {
  const auto map = read_text("ARCHITECTURE.md");
  for (const auto& [path, file] : our_tree().files()) {
    const auto folder = path.substr(0, path.rfind('/') + 1);
    if (folder.starts_with("tests/"))
      continue;
    INFO("ARCHITECTURE.md does not tell what `" << folder << "` is");
    CHECK(map.find("`" + folder) != std::string::npos);
  }
}

TEST_CASE("every decision record is in the list", "[tidy][map]") {
  const auto list = read_text("docs/adr/README.md");
  std::set<std::string> numbers;
  for (const auto& entry : std::filesystem::directory_iterator("docs/adr")) {
    const auto name = entry.path().filename().string();
    if (name == "README.md")
      continue;
    INFO("docs/adr/" << name << ": add it to the list, under a free number");
    CHECK(list.find(name) != std::string::npos);
    CHECK(numbers.insert(name.substr(0, 4)).second);
  }
}

TEST_CASE("string literals and comments are not taken for code",
          "[tidy][source_tree]") {
  const auto file = parse_source(
    "x.cpp", "auto a = \"throw // no\"; // throw\nauto b = R\"(throw\n"
             "throw)\"; f('\"', 1'000);\n/* throw\nthrow */ g();\n");
  REQUIRE(file.lines.size() == 5);
  CHECK(file.lines[0].code == "auto a = \"\"; ");
  CHECK(file.lines[0].comment == " throw");
  CHECK(file.lines[1].code == "auto b = \"\"");
  CHECK(file.lines[2].code == "; f('', 1'000);");
  CHECK(file.lines[3].code.empty());
  CHECK(file.lines[4].code == " g();");
}

TEST_CASE("a way to CAF is found through other headers",
          "[tidy][source_tree]") {
  auto tree = tree_of("config/a.hpp", "#include \"actors/b.hpp\"\n");
  tree.add(parse_source("actors/b.hpp", "#include <caf/error.hpp>\n"));
  const std::vector<std::string> way{"config/a.hpp", "actors/b.hpp",
                                     "caf/error.hpp"};
  CHECK(tree.way_to("config/a.hpp", "caf/") == way);
  CHECK(check_caf_free(tree).size() == 1);
}

TEST_CASE("each rule of words finds what breaks it", "[tidy][words][safety]") {
  const auto* line = GENERATE(
    "self->request(x, caf::infinite, y);", "std::mutex m;", "std::ifstream f;",
    "caf::actor who;", "auto f = [=] { return 1; };", "x.then([&](int) {});",
    "posix_fallocate(fd, 0, 1);", "throw 1;", "delete p;",
    "std::system(\"x\");", "auto x = rand();", "caf::event_based_actor* self;");
  CAPTURE(line);
  CHECK_FALSE(check_words(tree_of("coordinator/x.cpp", line)).empty());
}

TEST_CASE("a call that changes the disk past the seam is found",
          "[tidy][words][safety]") {
  const auto* line =
    GENERATE("::rename(a, b);", "if (::fdatasync(fd) != 0)", "::pwrite(a);",
             "return ::unlinkat(a, b, c);", "std::rename(a, b);");
  CAPTURE(line);
  CHECK_FALSE(check_words(tree_of("node/storage/x.cpp", line)).empty());
  CHECK(check_words(tree_of("node/qemu/x.cpp", line)).empty());
  CHECK(
    check_words(tree_of("node/storage/x.cpp", "disk::rename(a, b);")).empty());
}

TEST_CASE("each rule of comments finds what breaks it",
          "[tidy][comments][safety]") {
  const auto* line =
    GENERATE("// TODO: more", "// -----", "// since v0.3", "// see #12",
             "// formerly slow", "// return x;", "// }");
  CAPTURE(line);
  CHECK_FALSE(check_comments(tree_of("node/x.cpp", line)).empty());
}

TEST_CASE("each rule of includes finds what breaks it",
          "[tidy][directions][safety]") {
  const auto* line =
    GENERATE("#include \"node/node.hpp\"", "#include \"../x.hpp\"",
             "#include <caf/all.hpp>", "#include \"actors/none.hpp\"");
  CAPTURE(line);
  CHECK_FALSE(check_directions(tree_of("coordinator/x.cpp", line)).empty());
}

TEST_CASE("a long file, a wide line and a bare header are found",
          "[tidy][sizes][safety]") {
  std::string text;
  for (int i = 0; i < 401; ++i)
    text += "int x;\n";
  CHECK(check_sizes(tree_of("node/x.hpp", text)).size() == 2);
  CHECK(check_sizes(tree_of("node/x.hpp", std::string(81, 'x'))).size() == 1);
  CHECK(check_openings(tree_of("node/x.hpp", "int x;\n")).size() == 3);
}

TEST_CASE("a pure header with a clock is found", "[tidy][pure][safety]") {
  auto tree = tree_of("node/x.hpp", "// SPDX\n// Pure: decides.\nint f();\n");
  tree.add(parse_source("node/x.cpp", "auto t = steady_clock::now();\n"));
  CHECK(check_pure(tree).size() == 1);
}

TEST_CASE("a unit without a test is found", "[tidy][mirror][safety]") {
  CHECK(check_mirror(tree_of("node/x.cpp", "int f();\n")).size() == 1);
  CHECK(check_mirror(tree_of("node/x.cpp", "int main() {}\n")).empty());
}
