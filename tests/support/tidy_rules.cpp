// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tidy_rules.hpp"

#include <algorithm>
#include <array>
#include <regex>
#include <string_view>

namespace forkfleet::test {

namespace {

constexpr size_t lines_max = 400;
constexpr size_t lines_median_max = 100;
constexpr size_t columns_max = 80;
constexpr std::string_view spdx = "// SPDX-License-Identifier: Apache-2.0";

template <class Range>
bool begins_with_any(std::string_view path, const Range& places) {
  return std::any_of(places.begin(), places.end(), [path](std::string_view x) {
    return path.starts_with(x);
  });
}

/// Columns, with a character of several bytes counted once.
size_t columns(const std::string& text) {
  return static_cast<size_t>(
    std::count_if(text.begin(), text.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
}

std::string joined(const std::vector<std::string>& way) {
  std::string out;
  for (const auto& step : way)
    out += (out.empty() ? "" : " -> ") + step;
  return out;
}

/// `from` may not include what begins with `to`, but in `except`.
struct direction {
  std::string_view from;
  std::string_view to;
  std::string_view except;
};

constexpr std::array directions{
  direction{"node/", "coordinator/", ""},
  direction{"coordinator/", "node/", ""},
  direction{"config/", "node/", ""},
  direction{"config/", "coordinator/", ""},
  direction{"actors/", "node/", ""},
  direction{"actors/", "coordinator/", ""},
  direction{"actors/", "config/", "actors/shell/"},
  direction{"actors/", "tests/", ""},
  direction{"config/", "tests/", ""},
  direction{"node/", "tests/", ""},
  direction{"coordinator/", "tests/", ""},
  direction{"examples/", "node/", ""},
  direction{"examples/", "coordinator/", ""},
};

constexpr std::array<std::string_view, 16> caf_free{
  "config/",
  "actors/schema/",
  "actors/ids.hpp",
  "actors/error.hpp",
  "node/vmm.hpp",
  "node/driver.hpp",
  "node/snapshot_store.hpp",
  "node/operation_journal.hpp",
  "node/firecracker/",
  "node/bench/",
  "node/qemu/",
  "node/storage/",
  "node/simulated/",
  "node/keeper/",
  "node/preload/",
  "examples/guest"};

const std::regex impure(
  R"(#include <(thread|mutex|filesystem|fstream|unistd\.h|sys/|fcntl\.h))"
  R"(|\b(steady_clock|system_clock)::now|\brandom_device\b)");

bool says_pure(const source_file& header) {
  for (const auto& line : header.lines) {
    if (line.comment.empty())
      return false;
    if (std::regex_search(line.comment, std::regex(R"(\bPure\b)")))
      return true;
  }
  return false;
}

std::string header_of(const std::string& source) {
  return source.substr(0, source.size() - 4) + ".hpp";
}

void check_own_header(const source_tree& tree, const source_file& file,
                      findings& out) {
  const auto own = header_of(file.path);
  if (file.is_header() || !tree.has(own))
    return;
  const auto includes = includes_of(file);
  if (includes.empty() || includes.front().target != own)
    out.push_back({file.path, 1, "own header first",
                   "begin the includes with \"" + own + "\""});
}

} // namespace

std::string to_string(const findings& xs) {
  std::string out;
  for (const auto& x : xs)
    out += x.path + ":" + std::to_string(x.line) + ": " + x.rule + ": "
           + x.advice + "\n";
  return out;
}

findings check_sizes(const source_tree& tree) {
  findings out;
  std::vector<size_t> sizes;
  for (const auto& [path, file] : tree.files()) {
    sizes.push_back(file.lines.size());
    if (file.lines.size() > lines_max)
      out.push_back({path, file.lines.size(), "file size",
                     "split it by meaning; at most 400 lines"});
    for (const auto& line : file.lines)
      if (columns(line.text) > columns_max)
        out.push_back({path, line.number, "line width",
                       "at most 80 columns; run ./dev format"});
  }
  std::sort(sizes.begin(), sizes.end());
  if (!sizes.empty() && sizes[sizes.size() / 2] > lines_median_max)
    out.push_back(
      {"", 0, "median file size",
       std::to_string(sizes[sizes.size() / 2]) + " lines; at most 100"});
  return out;
}

findings check_openings(const source_tree& tree) {
  findings out;
  for (const auto& [path, file] : tree.files()) {
    if (file.lines.empty() || file.lines[0].text != spdx)
      out.push_back({path, 1, "licence", "begin with " + std::string(spdx)});
    if (!file.is_header())
      continue;
    if (file.lines.size() < 2 || !file.lines[1].text.starts_with("// "))
      out.push_back({path, 2, "opening",
                     "say in two or three lines what this is in the whole"});
    const auto guarded = std::any_of(
      file.lines.begin(), file.lines.end(),
      [](const source_line& x) { return x.text == "#pragma once"; });
    if (!guarded)
      out.push_back({path, 1, "guard", "add #pragma once"});
  }
  return out;
}

findings check_directions(const source_tree& tree) {
  findings out;
  for (const auto& [path, file] : tree.files()) {
    check_own_header(tree, file, out);
    for (const auto& include : includes_of(file)) {
      for (const auto& rule : directions)
        if (include.is_ours && file.is_in(rule.from)
            && include.target.starts_with(rule.to)
            && (rule.except.empty() || !file.is_in(rule.except)))
          out.push_back({path, include.number, "direction",
                         std::string(rule.from) + " must not include "
                           + std::string(rule.to)
                           + "; move what both need to actors/"});
      if (include.target.find("../") != std::string::npos)
        out.push_back(
          {path, include.number, "include", "write it from the root"});
      if (include.target == "caf/all.hpp")
        out.push_back({path, include.number, "include",
                       "include the one header that is needed"});
      if (include.is_ours && !tree.has(include.target))
        out.push_back({path, include.number, "include",
                       include.target + " is not in the tree"});
    }
  }
  return out;
}

findings check_caf_free(const source_tree& tree) {
  findings out;
  for (const auto& [path, file] : tree.files()) {
    if (!begins_with_any(path, caf_free))
      continue;
    if (const auto way = tree.way_to(path, "caf/"); !way.empty())
      out.push_back({path, 1, "knows no CAF", "it does: " + joined(way)});
  }
  return out;
}

findings check_pure(const source_tree& tree) {
  findings out;
  for (const auto& [path, file] : tree.files()) {
    const auto header =
      tree.files().find(file.is_header() ? path : header_of(path));
    if (header == tree.files().end() || !says_pure(header->second))
      continue;
    for (const auto& line : file.lines)
      if (std::regex_search(line.code, impure))
        out.push_back({path, line.number, "pure",
                       "its header says Pure: be given the time, the bytes or "
                       "the dice"});
    if (const auto way = tree.way_to(path, "caf/"); !way.empty())
      out.push_back({path, 1, "pure", "it knows CAF: " + joined(way)});
  }
  return out;
}

} // namespace forkfleet::test
