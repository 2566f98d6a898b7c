// SPDX-License-Identifier: Apache-2.0
// The command line of all three programs: tables of verbs, options and
// positional arguments over Boost.Program_options. Strict: nothing is guessed
// and nothing is dropped. Knows no CAF.
//
//   const command_line tool{
//     .name = "forkfleet",
//     .summary = "Branches running VMs on a fleet of hosts.",
//     .version = FORKFLEET_VERSION,
//     .common = {{.name = "output", .letter = 'o', .kind = value_kind::choice,
//                 .doc = "How to print.", .initial = "table",
//                 .choices = {"table", "json"}}},
//     .verbs = {{.path = "config validate", .summary = "Check a fleet file.",
//                .positionals = {{.name = "FILE", .doc = "The fleet file."}},
//                .examples = {"forkfleet config validate fleet.yaml"}}}};
//   const auto given = parse(tool, {argv + 1, argv + argc});
//   if (!given)
//     return print(given.error());
//   if (given->verb->path == "config validate")
//     validate(given->positional("FILE"), given->text("output"));
//
// A program without verbs has one whose path is "".
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "config/fleet_file.hpp"

namespace forkfleet::config {

/// What may stand after an option.
enum class value_kind : unsigned char {
  flag,     // nothing
  text,     // anything
  number,   // a whole number from min to max
  duration, // with a unit: 250ms, 2s; min and max are milliseconds
  bytes,    // with a unit: 512MiB
  endpoint, // HOST:PORT
  choice,   // one of `choices`
};

/// One option of a verb.
struct option {
  std::string name = {}; // without the dashes
  char letter = '\0';    // of the short form; '\0' for none
  value_kind kind = value_kind::flag;
  std::string placeholder = {}; // in the help; made from the kind when empty
  std::string doc = {};
  std::string initial = {}; // its default, as it would be written
  std::vector<std::string> choices = {};
  uint64_t min = 0;
  uint64_t max = std::numeric_limits<int64_t>::max();
  bool repeatable = false;
  bool required = false;
};

/// One positional argument, or a run of them: from `least` to `most`.
struct positional {
  std::string name = {}; // as in the help: FILE
  std::string doc = {};
  std::size_t least = 1;
  std::size_t most = 1;
};

/// One thing that a program can do.
struct verb_entry {
  std::string path = {}; // such as "config validate"
  std::string summary = {};
  std::vector<option> options = {};
  std::vector<positional> positionals = {};
  std::vector<std::string> examples = {};
  std::string details = {}; // a paragraph for the help; may be empty
  bool keeps_rest = false;  // what follows "--" is kept apart, untouched
  bool is_hidden = false;   // left out of the list of verbs
};

/// A whole program. Must outlive what `parse` makes of it.
struct command_line {
  std::string name = {};
  std::string summary = {};
  std::string version = {};
  std::vector<option> common = {}; // options of every verb, also before it
  std::vector<verb_entry> verbs = {};
};

/// A verb with what was given to it. Every value has been checked against its
/// table; names are those of the table.
class invocation {
public:
  const verb_entry* verb = nullptr;

  /// Whether it stands on the command line; false for a default.
  bool has(std::string_view name) const;

  /// The last value given, else the default, else "".
  std::string text(std::string_view name) const;

  /// All values given to a repeatable option, else its default.
  std::vector<std::string> texts(std::string_view name) const;

  /// The value or default of an option of that kind, or nothing.
  std::optional<uint64_t> number(std::string_view name) const;
  std::optional<std::chrono::milliseconds>
  duration(std::string_view name) const;
  std::optional<byte_size> bytes(std::string_view name) const;
  std::optional<endpoint> address(std::string_view name) const;

  /// The positional argument `name`, or "" when it was left out.
  std::string positional(std::string_view name) const;

  /// All arguments of the run `name`.
  std::vector<std::string> positionals(std::string_view name) const;

  /// What followed "--", where the verb keeps it.
  const std::vector<std::string>& rest() const { return rest_; }

private:
  friend class invocation_builder;
  std::map<std::string, std::vector<std::string>, std::less<>> given_ = {};
  std::map<std::string, std::string, std::less<>> initial_ = {};
  std::map<std::string, std::vector<std::string>, std::less<>> placed_ = {};
  std::vector<std::string> rest_ = {};
};

/// Why a program ends before it did anything: help or the version was asked
/// for (code 0, for stdout), or the command line is wrong (code 2, for
/// stderr).
struct early_end {
  int code = 0;
  std::string text = {};
};

/// The exit code for a wrong command line.
inline constexpr int usage_exit_code = 2;

/// Reads `words` (without the program's name). Knows "help [VERB]",
/// "--help", "-h" and "--version" by itself.
tl::expected<invocation, early_end>
parse(const command_line& program, const std::vector<std::string>& words);

/// Writes the text to stdout or stderr and returns the code.
int print(const early_end& end);

/// A wrong use that only the verb itself can see, in the form of `parse`'s.
early_end usage_error(const command_line& program, const verb_entry* verb,
                      std::string_view message);

/// The help of the whole program; of a verb; of all verbs that begin with the
/// words of `path`.
std::string help(const command_line& program, std::string_view path = {});

} // namespace forkfleet::config
