// SPDX-License-Identifier: Apache-2.0
// From a YAML file to one checked fleet_file. Reports every problem at once,
// each with its place. Knows no CAF.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/fleet_file.hpp"

namespace forkfleet::config {

/// One thing that is wrong with a file. Line and column start at 1.
struct problem {
  std::string file = {};
  std::size_t line = 1;
  std::size_t column = 1;
  std::string path = {}; // such as sandboxes[2].memory; "" for the file
  std::string message = {};
  std::string hint = {}; // what to write instead; may be empty

  friend bool operator==(const problem&, const problem&) = default;
};

/// "file:line:col: path: message (hint)", then the source line and a caret
/// where `source` is given.
std::string to_string(const problem& x, std::string_view source = {});

/// The most problems that are told of one file.
inline constexpr std::size_t problems_max = 100;

/// Looks an environment variable up; empty for "not set".
using environment =
  std::function<std::optional<std::string>(const std::string& name)>;

/// The process' own environment.
std::optional<std::string> process_environment(const std::string& name);

/// A checked file with all defaults and paths filled in, or its problems.
struct load_result {
  std::optional<fleet_file> fleet = {};
  std::vector<problem> problems = {};
};

/// Reads, decodes, resolves and checks. `${NAME}`, `${NAME:-default}`,
/// `${NAME:?message}` and `$$` are replaced inside scalars. Relative paths
/// start at the file's directory.
load_result load(const std::string& path,
                 const environment& env = process_environment);

/// Same, of text that stands for the file `path`.
load_result load_text(std::string_view text, const std::string& path,
                      const environment& env = process_environment);

/// Draft-07 JSON Schema of the fleet file, indented.
std::string schema_text();

/// The file with every default written out, as YAML. Loading it gives the
/// same fleet_file.
std::string show(const fleet_file& fleet);

} // namespace forkfleet::config
