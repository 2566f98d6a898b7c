// SPDX-License-Identifier: Apache-2.0
#include "tests/support/source_tree.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <utility>

namespace forkfleet::test {

namespace {

constexpr std::array folders{"actors",      "config", "node",
                             "coordinator", "tests",  "examples"};

/// Takes lines apart. Raw strings and block comments may go over lines.
class line_reader {
public:
  source_line read(size_t number, std::string text) {
    source_line out{number, std::move(text), {}, {}};
    for (size_t at = 0; at < out.text.size();)
      at = step(out, at);
    return out;
  }

private:
  size_t step(source_line& out, size_t at) {
    const std::string_view rest = std::string_view(out.text).substr(at);
    if (!closer_.empty())
      return at + skip_to_closer(rest);
    if (rest.starts_with("//")) {
      out.comment = rest.substr(2);
      return out.text.size();
    }
    if (rest.starts_with("/*")) {
      closer_ = "*/";
      return at + 2;
    }
    if (rest.starts_with("R\"")) {
      const auto open = rest.find('(');
      closer_ = ")" + std::string(rest.substr(2, open - 2)) + "\"";
      out.code += "\"\"";
      return open == std::string_view::npos ? out.text.size() : at + open + 1;
    }
    if (rest[0] == '"' || is_character(out.code, rest)) {
      out.code += rest[0] == '"' ? "\"\"" : "''";
      return at + literal_size(rest);
    }
    out.code += rest[0];
    return at + 1;
  }

  size_t skip_to_closer(std::string_view rest) {
    const auto found = rest.find(closer_);
    if (found == std::string_view::npos)
      return rest.size();
    return found + std::exchange(closer_, {}).size();
  }

  /// A quote that opens a character and does not part a number's digits.
  static bool is_character(const std::string& before, std::string_view rest) {
    return rest[0] == '\''
           && (before.empty()
               || std::isalnum(static_cast<unsigned char>(before.back())) == 0);
  }

  static size_t literal_size(std::string_view rest) {
    size_t at = 1;
    while (at < rest.size() && rest[at] != rest[0])
      at += rest[at] == '\\' ? 2 : 1;
    return std::min(at + 1, rest.size());
  }

  std::string closer_ = {};
};

bool is_cpp(const std::filesystem::path& path) {
  return path.extension() == ".cpp" || path.extension() == ".hpp";
}

} // namespace

source_file parse_source(std::string path, std::string_view text) {
  source_file out{std::move(path), {}};
  std::istringstream stream{std::string(text)};
  line_reader reader;
  for (std::string line; std::getline(stream, line);)
    out.lines.push_back(reader.read(out.lines.size() + 1, line));
  return out;
}

std::vector<include_line> includes_of(const source_file& file) {
  std::vector<include_line> out;
  for (const auto& line : file.lines) {
    if (!line.text.starts_with("#include "))
      continue;
    const auto open = line.text.find_first_of("<\"");
    const auto close = line.text.find_last_of(">\"");
    if (open != std::string::npos && close > open)
      out.push_back({line.number, line.text.substr(open + 1, close - open - 1),
                     line.text[open] == '"'});
  }
  return out;
}

source_tree source_tree::read(const std::string& root) {
  source_tree out;
  for (const auto* folder : folders) {
    const auto start = std::filesystem::path(root) / folder;
    if (!std::filesystem::is_directory(start))
      continue;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(start)) {
      if (!entry.is_regular_file() || !is_cpp(entry.path()))
        continue;
      std::ifstream file(entry.path());
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      const auto path = std::filesystem::relative(entry.path(), root);
      out.add(parse_source(path.generic_string(), text));
    }
  }
  return out;
}

void source_tree::add(source_file file) {
  auto path = file.path;
  files_.insert_or_assign(std::move(path), std::move(file));
}

std::vector<std::string> source_tree::way_to(const std::string& path,
                                             std::string_view prefix) const {
  std::vector<std::vector<std::string>> open{{path}};
  std::set<std::string> seen{path};
  for (size_t i = 0; i < open.size(); ++i) {
    const auto found = files_.find(open[i].back());
    if (found == files_.end())
      continue;
    for (const auto& include : includes_of(found->second)) {
      auto way = open[i];
      way.push_back(include.target);
      if (include.target.starts_with(prefix))
        return way;
      if (include.is_ours && seen.insert(include.target).second)
        open.push_back(std::move(way));
    }
  }
  return {};
}

} // namespace forkfleet::test
