// SPDX-License-Identifier: Apache-2.0
// Pure: texts of others as words of a POSIX shell.
#pragma once

#include <string>
#include <string_view>

namespace forkfleet {

/// `text` as one word, whatever it holds but zero bytes.
std::string shell_word(std::string_view text);

/// Whether it is NAME=VALUE with a name that a shell can export.
bool is_assignment(std::string_view text);

bool has_zero(std::string_view text);

} // namespace forkfleet
