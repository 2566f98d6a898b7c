// SPDX-License-Identifier: Apache-2.0
// The mutants of tests/mutants/table.txt, and what is wrong with them. Their
// format is in tests/mutants/README.md.
#pragma once

#include <string>
#include <vector>

#include "tests/support/source_tree.hpp"

namespace forkfleet::test {

/// One line made wrong, and the test that must fail then.
struct mutant {
  std::string name = {};
  std::string file = {};
  std::string line = {};
  std::string with = {};
  std::string test = {};
  std::string filter = {};
};

/// The stanzas of a table, and a sentence for each that is none.
struct mutant_table {
  std::vector<mutant> mutants = {};
  std::vector<std::string> problems = {};
};

mutant_table parse_mutants(const std::string& text);

/// A sentence for each mutant that cannot be made of this tree: its line is
/// not there, or more than once, or it changes nothing, or another has its
/// name.
std::vector<std::string> check_mutants(const mutant_table& table,
                                       const source_tree& tree);

} // namespace forkfleet::test
