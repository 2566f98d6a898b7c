// SPDX-License-Identifier: Apache-2.0
// The rules about words: in code, in comments, and in file names.
#include <algorithm>
#include <array>
#include <regex>
#include <set>
#include <string_view>

#include "tests/support/tidy_rules.hpp"

namespace forkfleet::test {

namespace {

using places = std::vector<std::string_view>;

/// A pattern that code in `where` must not have, but in `except`.
struct word_rule {
  const char* name;
  const char* pattern;
  places where;
  places except;
  const char* advice;
};

const places programs{"actors/", "config/", "node/", "coordinator/"};
const places everywhere{"actors/",      "config/",   "node/",
                        "coordinator/", "examples/", "tests/"};
// What runs in a scheduled actor; its blocking parts are files of their own.
const places scheduled{"coordinator/", "node/node", "node/sandbox",
                       "node/operation_table", "node/admission"};

const std::vector<word_rule>& word_rules() {
  static const std::vector<word_rule> rules{
    {"deadlines",
     R"(caf::infinite)",
     programs,
     {},
     "give every request a deadline"},
    {"no blocking",
     R"(sleep_for|sleep_until|std::system\(|std::mutex)"
     R"(|\b[io]?fstream\b|(^|[^\w])::open\()",
     scheduled,
     {"coordinator/main.cpp", "coordinator/audit_log.cpp"},
     "a scheduled actor never blocks: spawn a detached worker"},
    {"typed only",
     R"(caf::actor\b|caf::behavior\b)"
     R"(|(^|[^_])\bevent_based_actor\b)",
     programs,
     {},
     "use the typed interface of actors/interfaces.hpp"},
    {"captures", R"(\[=\])", everywhere, {}, "capture by name"},
    {"captures",
     R"(\[&.*(\.then\(|\.await\(|delayed_send|std::thread))",
     everywhere,
     {},
     "it outlives the call: capture by value, by name"},
    {"captures",
     R"((\.then\(|\.await\(|delayed_send|std::thread\().*\[&)",
     everywhere,
     {},
     "it outlives the call: capture by value, by name"},
    {"reservation",
     R"(\bposix_fallocate\b)",
     everywhere,
     {},
     "call fallocate(2): the other writes where it cannot allocate"},
    {"disk calls",
     R"((^|[^\w])::(mkdir|mkdirat|p?write(v2?)?|f?truncate|fallocate)"
     R"(|f(data)?sync|sync_file_range|rename(at2?)?|unlink(at)?|rmdir)"
     R"(|copy_file_range|sendfile)\(|std::(rename|remove)\(|\bFICLONE\b)",
     {"node/storage/", "actors/durable_", "actors/directory_lock.cpp"},
     {},
     "call it by actors/disk_calls.hpp or node/storage/file.hpp: the crash "
     "tests break every call there"},
    {"errors are values",
     R"(\bthrow\b)",
     programs,
     {"node/simulated/faults.cpp"},
     "return expected<T> or status"},
    {"memory",
     R"(\bmalloc\(|\bfree\(|\bdelete\b\s*[^;=\s]|\bdelete\[\])",
     programs,
     {},
     "let an object own it"},
    {"shell",
     R"(std::system\(|\bpopen\()",
     programs,
     {},
     "start the program without a shell, and keep its pid"},
    {"chance",
     R"(\b(s?rand|time)\((0|NULL|nullptr)?\))",
     everywhere,
     {},
     "use a seeded engine and the clock that is given"},
  };
  return rules;
}

bool is_in_any(const source_file& file, const places& xs) {
  return std::any_of(xs.begin(), xs.end(),
                     [&file](std::string_view x) { return file.is_in(x); });
}

struct comment_rule {
  const char* pattern;
  const char* advice;
};

const std::vector<comment_rule>& comment_rules() {
  static const std::vector<comment_rule> rules{
    {R"(\b(TODO|FIXME|XXX|HACK)\b)", "do it, or open an issue"},
    {R"([-=*#~_]{5,})", "no rulers: a file needs no sections"},
    {R"(\bv0\.)", "no history: say what is"},
    {R"(\b([Uu]sed to be|[Ff]ormerly|[Ll]egacy)\b)", "no history: say what is"},
    {R"(^ ?(if|for|while|return|auto|const)\b.*[;{]\s*$|^ ?\}\s*$)",
     "no code in comments: the history keeps it"},
    {R"((^|\s)#\d+\b)", "speak of the thing, not of an issue's number"},
  };
  return rules;
}

/// Units that are tested with others: what begins with `unit` is covered by
/// the test file, or by those of the folder.
struct coverage {
  std::string_view unit;
  std::string_view test;
};

const std::vector<coverage>& coverages() {
  static const std::vector<coverage> table{
    {"actors/certificate.cpp", "tests/actors/pki_test.cpp"},
    {"actors/directory_lock.cpp", "tests/node/data_directory_test.cpp"},
    {"actors/link/", "tests/actors/link/link_test.cpp"},
    {"actors/node_identity.cpp", "tests/actors/system_config_test.cpp"},
    {"actors/pki_files.cpp", "tests/actors/pki_test.cpp"},
    {"actors/shell/", "tests/actors/shell/fleet_verbs_test.cpp"},
    {"actors/wire.cpp", "tests/actors/protocol_test.cpp"},
    {"coordinator/listing.cpp", "tests/coordinator/coordinator_test.cpp"},
    {"examples/guest/counter.cpp", "tests/examples/guest_test.cpp"},
    {"examples/guest/helpers.cpp", "tests/node/qemu_memory_test.cpp"},
    {"examples/guest/ports.cpp", "tests/examples/guest_test.cpp"},
    {"node/bench/", "tests/node/bench/rig_test.cpp"},
    {"node/branch_run.cpp", "tests/simulation/"},
    {"node/child_birth.cpp", "tests/node/node_switch_test.cpp"},
    {"node/firecracker/", "tests/node/firecracker_api_test.cpp"},
    {"node/host_worker.cpp", "tests/simulation/"},
    {"node/keeper/", "tests/node/qemu_safety_test.cpp"},
    {"node/node_rollback.cpp", "tests/node/node_switch_test.cpp"},
    {"node/preload/own_user.cpp", "tests/node/qemu_confinement_test.cpp"},
    {"node/qemu/", "tests/node/qemu_branch_test.cpp"},
    {"node/sandbox", "tests/simulation/"},
    {"node/snapshot_worker.cpp", "tests/simulation/"},
  };
  return table;
}

/// True if the unit is covered by a test of others, and that test exists.
bool is_covered(const source_tree& tree, const std::string& unit) {
  const auto& table = coverages();
  return std::any_of(table.begin(), table.end(), [&](const coverage& x) {
    const auto at = tree.files().lower_bound(std::string(x.test));
    return unit.starts_with(x.unit) && at != tree.files().end()
           && at->first.starts_with(x.test);
  });
}

bool is_main(const source_file& file) {
  return std::any_of(
    file.lines.begin(), file.lines.end(),
    [](const source_line& x) { return x.code.starts_with("int main("); });
}

std::string stem_of(const std::string& path) {
  const auto name = path.substr(path.rfind('/') + 1);
  return name.substr(0, name.rfind('.'));
}

/// What the tests know: the stems of test files and all that they include.
struct known_units {
  std::set<std::string> tests = {};
  std::set<std::string> headers = {};
};

known_units units_of_tests(const source_tree& tree) {
  known_units out;
  for (const auto& [path, file] : tree.files()) {
    if (!file.is_in("tests/"))
      continue;
    out.tests.insert(stem_of(path));
    for (const auto& include : includes_of(file))
      out.headers.insert(include.target);
  }
  return out;
}

/// A source shares its header's test: node_branches.cpp belongs to node.hpp.
bool is_known(const known_units& known, const source_file& file) {
  const auto own = file.path.substr(0, file.path.size() - 4) + ".hpp";
  if (known.tests.contains(stem_of(file.path) + "_test")
      || known.headers.contains(own))
    return true;
  const auto includes = includes_of(file);
  return std::any_of(
    includes.begin(), includes.end(), [&known](const include_line& x) {
      return x.is_ours && known.headers.contains(x.target)
             && known.tests.contains(stem_of(x.target) + "_test");
    });
}

} // namespace

findings check_words(const source_tree& tree) {
  findings out;
  for (const auto& rule : word_rules()) {
    const std::regex pattern(rule.pattern);
    for (const auto& [path, file] : tree.files()) {
      if (!is_in_any(file, rule.where) || is_in_any(file, rule.except))
        continue;
      for (const auto& line : file.lines)
        if (std::regex_search(line.code, pattern))
          out.push_back({path, line.number, rule.name, rule.advice});
    }
  }
  return out;
}

findings check_comments(const source_tree& tree) {
  findings out;
  for (const auto& rule : comment_rules()) {
    const std::regex pattern(rule.pattern);
    for (const auto& [path, file] : tree.files())
      for (const auto& line : file.lines)
        if (std::regex_search(line.comment, pattern))
          out.push_back({path, line.number, "comments", rule.advice});
  }
  return out;
}

findings check_mirror(const source_tree& tree) {
  findings out;
  const auto known = units_of_tests(tree);
  for (const auto& [path, file] : tree.files())
    if (!file.is_header() && !file.is_in("tests/") && !is_main(file)
        && !is_known(known, file) && !is_covered(tree, path))
      out.push_back({path, 1, "mirror",
                     "write tests/<folder>/" + stem_of(path) + "_test.cpp"});
  return out;
}

} // namespace forkfleet::test
