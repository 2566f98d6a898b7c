// SPDX-License-Identifier: Apache-2.0
// The mechanical rules of CONTRIBUTING.md, as functions from the source tree
// to what breaks them.
#pragma once

#include <string>
#include <vector>

#include "tests/support/source_tree.hpp"

namespace forkfleet::test {

/// One place that breaks a rule, and what to do there.
struct finding {
  std::string path = {};
  size_t line = 0;
  std::string rule = {};
  std::string advice = {};
};

using findings = std::vector<finding>;

/// "path:line: rule: advice", one a line.
std::string to_string(const findings& xs);

/// Files of at most 400 lines, the middle one of at most 100; 80 columns; a
/// final line end.
findings check_sizes(const source_tree& tree);
/// The licence first, then what the header is, then #pragma once.
findings check_openings(const source_tree& tree);
/// Who may include whom, and own header first.
findings check_directions(const source_tree& tree);
/// No CAF where none belongs, not even through another header.
findings check_caf_free(const source_tree& tree);
/// Headers that call themselves pure, and their sources, use no clock, file,
/// thread or chance.
findings check_pure(const source_tree& tree);
/// Words that do not belong into code, each with what to use instead.
findings check_words(const source_tree& tree);
/// Comments: nothing left to do, no history, no rulers, no code.
findings check_comments(const source_tree& tree);
/// Every unit has a test, or stands in a list with the reason why not.
findings check_mirror(const source_tree& tree);

} // namespace forkfleet::test
