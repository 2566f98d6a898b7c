// SPDX-License-Identifier: Apache-2.0
#include "tests/support/mutant_table.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

namespace forkfleet::test {

namespace {

using stanza = std::map<std::string, std::string>;

const std::vector<std::pair<std::string, std::string mutant::*>> keys{
  {"name", &mutant::name}, {"file", &mutant::file},
  {"line", &mutant::line}, {"with", &mutant::with},
  {"test", &mutant::test}, {"filter", &mutant::filter}};

void take_stanza(stanza& lines, mutant_table& table) {
  if (lines.empty())
    return;
  auto result = mutant{};
  for (const auto& [key, member] : keys) {
    const auto found = lines.find(key);
    if (found == lines.end() || found->second.empty())
      table.problems.push_back("the mutant '" + lines["name"] + "' lacks '"
                               + key + "'");
    else
      result.*member = found->second;
  }
  table.mutants.push_back(std::move(result));
  lines.clear();
}

bool is_key(const std::string& text) {
  return std::ranges::any_of(keys,
                             [&](const auto& x) { return x.first == text; });
}

std::string without_indentation(const std::string& text) {
  const auto begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? std::string{} : text.substr(begin);
}

} // namespace

mutant_table parse_mutants(const std::string& text) {
  auto result = mutant_table{};
  auto lines = stanza{};
  auto in = std::istringstream{text};
  auto line = std::string{};
  while (std::getline(in, line)) {
    if (line.empty()) {
      take_stanza(lines, result);
      continue;
    }
    if (line.starts_with('#'))
      continue;
    const auto colon = line.find(": ");
    const auto key = line.substr(0, colon);
    if (colon == std::string::npos || !is_key(key) || lines.contains(key))
      result.problems.push_back("not a line of a mutant: " + line);
    else
      lines[key] = line.substr(colon + 2);
  }
  take_stanza(lines, result);
  return result;
}

std::vector<std::string> check_mutants(const mutant_table& table,
                                       const source_tree& tree) {
  auto result = table.problems;
  auto names = std::set<std::string>{};
  for (const auto& x : table.mutants) {
    if (!names.insert(x.name).second)
      result.push_back("two mutants are called " + x.name);
    if (x.line == x.with)
      result.push_back(x.name + " changes nothing");
    const auto file = tree.files().find(x.file);
    if (file == tree.files().end()) {
      result.push_back(x.name + ": " + x.file + " is not there");
      continue;
    }
    const auto times =
      std::ranges::count_if(file->second.lines, [&x](const source_line& line) {
        return without_indentation(line.text) == x.line;
      });
    if (times != 1)
      result.push_back(x.name + ": its line stands " + std::to_string(times)
                       + " times in " + x.file + ", not once");
  }
  return result;
}

} // namespace forkfleet::test
