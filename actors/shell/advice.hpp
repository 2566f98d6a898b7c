// SPDX-License-Identifier: Apache-2.0
// What a person at the shell does next about an error: the remedy in terms
// of our verbs.
#pragma once

#include <string_view>

#include "actors/error.hpp"

namespace forkfleet::shell {

/// One line, without a full stop. Falls back to the error's own remedy.
std::string_view advice(ec code);

} // namespace forkfleet::shell
