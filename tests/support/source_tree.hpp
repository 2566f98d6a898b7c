// SPDX-License-Identifier: Apache-2.0
// The project's own source files as a test reads them: lines taken apart
// into code and comment, and who includes whom.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace forkfleet::test {

/// One line, numbered from 1. In `code` the contents of string literals are
/// left out; `comment` is what stands behind //.
struct source_line {
  size_t number = 0;
  std::string text = {};
  std::string code = {};
  std::string comment = {};
};

struct source_file {
  std::string path = {}; // from the root, with slashes
  std::vector<source_line> lines = {};

  bool is_header() const { return path.ends_with(".hpp"); }
  /// True if the path begins with `place`: a folder with its slash, or a file.
  bool is_in(std::string_view place) const { return path.starts_with(place); }
};

/// Takes a file's text apart.
source_file parse_source(std::string path, std::string_view text);

/// One #include of a file.
struct include_line {
  size_t number = 0;
  std::string target = {}; // without quotes or brackets
  bool is_ours = false;    // in quotes
};

std::vector<include_line> includes_of(const source_file& file);

/// All C++ files of the tree.
class source_tree {
public:
  /// Reads the folders below `root`; none of build/ and hidden ones.
  static source_tree read(const std::string& root);

  void add(source_file file);
  const std::map<std::string, source_file>& files() const { return files_; }
  bool has(const std::string& path) const { return files_.contains(path); }

  /// The includes that lead from the file to a header whose name begins with
  /// `prefix`, such as "caf/", this header last; empty if none does.
  std::vector<std::string> way_to(const std::string& path,
                                  std::string_view prefix) const;

private:
  std::map<std::string, source_file> files_ = {};
};

} // namespace forkfleet::test
