// SPDX-License-Identifier: Apache-2.0
// Finds the verb on a command line. Program_options knows no verbs, and would
// take the value of a misspelt option for one.
#pragma once

#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "config/options.hpp"

namespace forkfleet::config {

using option_list = std::vector<const option*>;

/// What `verb` understands: its own options first, then the common ones. Only
/// the common ones for nullptr.
option_list options_of(const command_line& program, const verb_entry* verb);

/// The common ones that `verb` has no option of its own for.
option_list common_options_of(const command_line& program,
                              const verb_entry* verb);

/// A verb, and the words that are not part of its path, in order.
struct found_verb {
  const verb_entry* verb = nullptr;
  std::vector<std::string> rest = {};
};

/// The verb that `words` ask for. Ends early for help and the version, and
/// for an unknown verb.
tl::expected<found_verb, early_end>
find_verb(const command_line& program, const std::vector<std::string>& words);

} // namespace forkfleet::config
